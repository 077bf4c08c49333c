"""Sums over sliding windows of any length, with little memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telemetry.graph import FloatArray

BUCKETS = 30


class SlidingSum:
    """The sum of arrays over a sliding window, accurate to a thirtieth of the window.

    Parameters
    ----------
    shape
        Shape of the arrays.
    window_s, interval_s
        Length of the window, and the time between two arrays.
    """

    def __init__(self, shape: tuple[int, ...], window_s: float, interval_s: float) -> None:
        frames = max(1, round(window_s / interval_s))
        self._per_bucket = math.ceil(frames / BUCKETS)
        buckets = max(1, round(frames / self._per_bucket))
        self._full = np.zeros((max(buckets - 1, 0), *shape), dtype=np.float32)
        self._full_sum = np.zeros(shape)
        self._current = np.zeros(shape)
        self._filled = 0
        self._next = 0

    def add(self, values: FloatArray) -> FloatArray:
        """Add an array; return the new sum, a new array."""
        if self._filled == self._per_bucket:
            self._roll()
        self._current = self._current + values
        self._filled += 1
        return self._full_sum + self._current

    def rearrange(self, place: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        """Change the shape of the arrays; `place` converts an array to the new shape."""
        self._full = place(self._full)
        self._full_sum = place(self._full_sum)
        self._current = place(self._current)

    def _roll(self) -> None:
        if len(self._full):
            self._full[self._next] = self._current
            self._next = (self._next + 1) % len(self._full)
            self._full_sum = self._full.sum(axis=0, dtype=np.float64)
        self._current = np.zeros_like(self._current)
        self._filled = 0
