"""Results of a benchmark: costs against those of a peer or a limit, and how a cost grows."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LIMIT = "limit"
_BEGAN = time.monotonic()


@dataclass(frozen=True)
class Figure:
    """One cost compared with another; below a ratio of 1 ours is smaller, or within its limit.

    Attributes
    ----------
    name
        What was measured; unique in its part.
    value
        The cost: the median of its repetitions.
    unit
        Unit of both costs.
    beside
        What it is compared with: a peer that was measured in turns with it, or `LIMIT`.
    other
        Cost of the peer, or the limit.
    most
        Maximum ratio that is promised; None if nothing is.
    repetitions
        How often it was measured.
    spread
        Range of the middle half of the ratios over their median; None if measured once.
    """

    name: str
    value: float
    unit: str
    beside: str
    other: float
    most: float | None
    repetitions: int
    spread: float | None

    @property
    def ratio(self) -> float:
        """The cost over the other."""
        return self.value / self.other

    @property
    def met(self) -> bool:
        """Whether it is no more than promised."""
        return self.most is None or self.ratio <= self.most


@dataclass(frozen=True)
class Curve:
    """How a cost grows.

    Attributes
    ----------
    name
        Which cost of what, in `unit`; with `over` it names the picture, so no two are the same.
    over
        What it grows with.
    points
        Pairs of size and cost, all above 0.
    """

    name: str
    unit: str
    over: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Part:
    """All that one benchmark found; a note is a sentence."""

    title: str
    figures: Sequence[Figure]
    curves: Sequence[Curve] = ()
    notes: Sequence[str] = ()


class UnavailableError(Exception):
    """Something to measure against is not to be had here; its text says what and why."""


def limited(name: str, values: Sequence[float], unit: str, limit: float) -> Figure:
    """Compare repetitions of a cost with its limit."""
    ratios = [value / limit for value in values]
    value = float(np.median(values))
    return Figure(name, value, unit, LIMIT, limit, 1.0, len(values), spread(ratios))


def compared(
    name: str,
    values: Sequence[float],
    unit: str,
    beside: str,
    others: Sequence[float],
    most: float | None = None,
) -> Figure:
    """Compare repetitions of a cost with a peer's; the two took turns."""
    ratios = [value / other for value, other in zip(values, others, strict=True)]
    value, other = float(np.median(values)), float(np.median(others))
    return Figure(name, value, unit, beside, other, most, len(values), spread(ratios))


def spread(ratios: Sequence[float]) -> float | None:
    """Range of the middle half over the median; None for a single one."""
    if len(ratios) < 2:
        return None
    low, middle, high = (float(one) for one in np.percentile(ratios, (25.0, 50.0, 75.0)))
    return (high - low) / middle if middle else 0.0


def progress(text: str) -> None:
    """Say on standard error what is measured now, and since when all goes on."""
    minutes, seconds = divmod(round(time.monotonic() - _BEGAN), 60)
    print(f"[{minutes:2d}:{seconds:02d}] {text}", file=sys.stderr, flush=True)
