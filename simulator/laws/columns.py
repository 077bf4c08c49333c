"""Columns of numbers, of shape (N, 1): one per service, call or edge, for all copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from telemetry.graph import FloatArray, IntArray

PART_NUMBERS = 8192
"""Rows times copies that are worked on at a time."""


def column(values: Iterable[float]) -> FloatArray:
    """Lay numbers out as a column."""
    return np.fromiter(values, dtype=np.float64)[:, None]


def where(chosen: Iterable[bool]) -> IntArray:
    """Places of those that are chosen."""
    return np.flatnonzero(np.fromiter(chosen, dtype=np.bool_))


def collapsed(columns: FloatArray) -> FloatArray:
    """Give (..., 1, 1) for (..., N, 1) where all N are alike, else the columns themselves.

    Arithmetic with one number is faster than with a column.
    """
    alike = columns.shape[-2] > 0 and bool((columns == columns[..., :1, :]).all())
    return columns[..., :1, :] if alike else columns


def parts(first: int, last: int, copies: int) -> Iterator[slice]:
    """Cut rows of so many copies into parts: what is computed of one stays in a processor's cache.

    Going through whole columns of 100,000 rows took half as long again.
    """
    rows = max(1, PART_NUMBERS // copies)
    for begin in range(first, last, rows):
        yield slice(begin, min(begin + rows, last))
