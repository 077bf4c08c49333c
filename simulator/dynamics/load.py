"""Load from outside: how it varies over a day and a week, and in bursts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np

from telemetry.graph import FloatArray

WEEK_H = 168.0
BURST_DEVIATION = 0.04
BURST_MEMORY_S = 45.0


@dataclass(frozen=True, slots=True)
class Load:
    """Load on the entries of one copy.

    Attributes
    ----------
    scale
        Load over the nominal load, 0 or greater.
    diurnal
        The load follows day and week, with bursts; False: it is constant.
    hour
        Hour of the day when the run starts, 0 to 24.
    day
        Day of the week when it starts, 0 Monday to 6 Sunday.
    """

    scale: float = 1.0
    diurnal: bool = False
    hour: float = 12.0
    day: int = 0


def day_shape(hour: FloatArray) -> FloatArray:
    """Load over its daily mean: lowest before dawn, highest in the afternoon, 0.7 to 1.25."""
    angle = 2.0 * np.pi * hour / 24.0
    shape: FloatArray = (
        1.0 - 0.24 * np.cos(angle - 2.0 * np.pi * 3.0 / 24.0) - 0.06 * np.cos(2.0 * angle)
    )
    return shape


def week_shape(hour: FloatArray) -> FloatArray:
    """Load over that of a weekday, by the hour of the week, 0 on Monday at midnight.

    Saturdays have 0.8 and Sundays 0.75 of it; one goes over into the other within the six hours
    about midnight, when there is little load.
    """
    hours, factors = zip(*_WEEK, strict=True)
    shape: FloatArray = np.interp(hour % WEEK_H, hours, factors)
    return shape


_WEEK = ((0, 0.875), (3, 1.0), (117, 1.0), (123, 0.8), (141, 0.8), (147, 0.75), (165, 0.75),
         (168, 0.875))  # fmt: skip


class LoadProfile:
    """Loads of B copies, as a factor on their nominal load."""

    def __init__(self, loads: Sequence[Load]) -> None:
        self._scale: FloatArray = np.array([load.scale for load in loads])
        self._hour: FloatArray = np.array([24.0 * load.day + load.hour for load in loads])
        self._diurnal = np.array([load.diurnal for load in loads])

    def start(self) -> FloatArray:
        """State of the bursts before the first step, shape (B,)."""
        return np.zeros(len(self._scale))

    def advance(self, burst: FloatArray, normals: FloatArray, step_s: float) -> FloatArray:
        """Advance the bursts: the logarithm of the load wanders about 0, forgetting itself.

        Parameters
        ----------
        burst, normals
            State and standard normal numbers, shape (B,).
        step_s
            Length of the step in seconds.
        """
        memory = exp(-step_s / BURST_MEMORY_S)
        return burst * memory + BURST_DEVIATION * sqrt(1.0 - memory * memory) * normals

    def factor(self, t_s: float, burst: FloatArray) -> FloatArray:
        """Load over the nominal load at a time, shape (B,)."""
        if not self._diurnal.any():
            return self._scale
        hour = self._hour + t_s / 3600.0
        shape = day_shape(hour % 24.0) * week_shape(hour) * np.exp(burst)
        return self._scale * np.where(self._diurnal, shape, 1.0)
