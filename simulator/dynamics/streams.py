"""Counter-based randomness.

Every draw is addressed by seed, copy, purpose and block, and every block has a fixed size. So
results depend neither on how many copies run together nor on their order, and a fault never
changes a draw elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from telemetry.graph import FloatArray

BLOCK_NUMBERS = 100_000
MAX_BLOCK_ROWS = 64
_MASK = (1 << 64) - 1


class Purpose(IntEnum):
    """What a stream of random numbers is for."""

    QUEUE = 0
    LOAD = 1
    MEASUREMENT = 2
    COUNTING = 3


class Stream:
    """Random numbers for one purpose, row by row.

    Parameters
    ----------
    seed
        Seed of the run.
    copies
        Number of each copy, which addresses its stream.
    purpose
        What the numbers are for.
    width
        Numbers per copy and row.
    uniform
        True: uniform on [0, 1); False: standard normal.
    """

    def __init__(
        self,
        seed: int,
        copies: Sequence[int],
        purpose: Purpose,
        width: int,
        *,
        uniform: bool = False,
    ) -> None:
        self._keys = [
            np.array([seed & _MASK, copy << 8 | purpose], dtype=np.uint64) for copy in copies
        ]
        self._rows = max(1, min(MAX_BLOCK_ROWS, BLOCK_NUMBERS // max(1, width)))
        self._shape = (self._rows, width)
        self._uniform = uniform
        self._numbers: FloatArray = np.empty((len(copies), *self._shape))
        self._bits = np.random.Philox(key=0)
        self._fresh = self._bits.state
        self._generator = np.random.Generator(self._bits)
        self._block = -1

    def row(self, number: int) -> FloatArray:
        """Give row `number`, shape (width, B)."""
        block, row = divmod(number, self._rows)
        if block != self._block:
            draw = self._generator.random if self._uniform else self._generator.standard_normal
            for key, numbers in zip(self._keys, self._numbers, strict=True):
                self._address(key, block)
                draw(out=numbers)
            self._block = block
        return np.ascontiguousarray(self._numbers[:, row].T)

    def _address(self, key: NDArray[np.uint64], block: int) -> None:
        """Set the generator to the beginning of a block: cheaper than to make another one."""
        counter = np.array([0, block, 0, 0], dtype=np.uint64)
        self._bits.state = {**self._fresh, "state": {"counter": counter, "key": key}}
