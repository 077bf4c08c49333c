"""Load from outside: how it varies over a day, and in bursts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np

from simulator.graph import FloatArray

DAY_S = 86_400.0
BURST_DEVIATION = 0.04
BURST_MEMORY_S = 45.0


@dataclass(frozen=True, slots=True)
class Load:
    """Load on the entries of one copy.

    Attributes
    ----------
    scale
        Times the nominal load, 0 or greater.
    diurnal
        The load follows a day, with bursts; False: it is constant.
    hour
        Hour of the day when the run starts, 0 to 24.
    """

    scale: float = 1.0
    diurnal: bool = False
    hour: float = 12.0


def day_shape(hour: FloatArray) -> FloatArray:
    """Load over its daily mean: lowest before dawn, highest in the afternoon, 0.7 to 1.25."""
    angle = 2.0 * np.pi * hour / 24.0
    shape: FloatArray = (
        1.0 - 0.24 * np.cos(angle - 2.0 * np.pi * 3.0 / 24.0) - 0.06 * np.cos(2.0 * angle)
    )
    return shape


class LoadProfile:
    """Loads of B copies, as a factor on their nominal load."""

    def __init__(self, loads: Sequence[Load]) -> None:
        self._scale: FloatArray = np.array([load.scale for load in loads])
        self._hour: FloatArray = np.array([load.hour for load in loads])
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
        shape = day_shape((self._hour + t_s / 3600.0) % 24.0) * np.exp(burst)
        return self._scale * np.where(self._diurnal, shape, 1.0)
