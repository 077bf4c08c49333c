"""Counter-based randomness.

Every draw is addressed by seed, copy, purpose and block, and every block has a fixed size. So
results depend neither on how many copies run together nor on their order, and a fault never
changes a draw elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from simulator.graph import FloatArray

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
        Of the run.
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
        self._numbers: FloatArray = np.empty((self._rows, width, len(copies)))
        self._block = -1

    def row(self, number: int) -> FloatArray:
        """Give row `number`, shape (width, B)."""
        block, row = divmod(number, self._rows)
        if block != self._block:
            for copy, key in enumerate(self._keys):
                bits = np.random.Philox(key=key, counter=[0, block, 0, 0])
                generator = np.random.Generator(bits)
                self._numbers[:, :, copy] = (
                    generator.random(self._shape)
                    if self._uniform
                    else generator.standard_normal(self._shape)
                )
            self._block = block
        numbers: FloatArray = self._numbers[row]
        return numbers
