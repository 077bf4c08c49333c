"""One frame's features, by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ml.features.table import NAMES
from telemetry.graph import FloatArray, IntArray

BETWEEN = ("seed_risk", "violations", "violations_below")
"""Columns that are aggregated along the graph without being features themselves."""

_PLACE = {name: place for place, name in enumerate((*NAMES, *BETWEEN))}


class Columns:
    """Features of B copies of S services, each (B, S), in one array.

    It is reused for every frame: a column that is not written again keeps its values.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        series = shape[0] * shape[1]
        # An odd number of cache lines apart, so that `rows` does not hit the same few cache sets.
        apart = 8 * (-(-series // 8) | 1)
        self._lines = np.full((len(_PLACE), apart), np.nan)
        self._values = self._within(self._lines)

    def __getitem__(self, name: str) -> FloatArray:
        """Give a view of one column, (B, S)."""
        column: FloatArray = self._values[_PLACE[name]]
        return column

    def __setitem__(self, name: str, value: FloatArray | float) -> None:
        """Write one column."""
        self._values[_PLACE[name]] = value

    def block(self, names: tuple[str, ...]) -> FloatArray:
        """Give a view of columns that follow each other in the table, (N, B, S)."""
        return self._values[_block(names)]

    def take(self, places: IntArray) -> FloatArray:
        """Copy columns from anywhere in the table, (N, B, S)."""
        return self._within(self._lines.take(places, axis=0))

    def put(self, places: IntArray, values: FloatArray) -> None:
        """Write columns anywhere in the table, (N, B, S)."""
        self._values[places] = values

    def rows(self) -> FloatArray:
        """Copy all features, one row per service, (B, S, F)."""
        return np.moveaxis(self._values[: len(NAMES)], 0, -1).copy(order="C")

    def _within(self, lines: FloatArray) -> FloatArray:
        copies, services = self._shape
        return lines[:, : copies * services].reshape(-1, copies, services)


def places(names: Sequence[str]) -> IntArray:
    """Where columns are in the table, for `take` and `put`."""
    return np.array([_PLACE[name] for name in names])


@cache
def _block(names: tuple[str, ...]) -> slice:
    first = _PLACE[names[0]]
    if [_PLACE[name] for name in names] != list(range(first, first + len(names))):
        raise ValueError(f"expected features that follow each other, got {', '.join(names)}")
    return slice(first, first + len(names))
