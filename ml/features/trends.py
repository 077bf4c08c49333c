"""A service against its own past: a robust baseline, and slopes over windows of frames.

Everything is incremental from frame to frame and works on arrays of any shape; NaN is a gap.
"""

from __future__ import annotations

import numpy as np

from simulator.graph import FloatArray

BASELINE_FRAMES = 150
WARM_FRAMES = 15
CLIP_DEVIATIONS = 2.5
MAX_Z = 20.0


class Baseline:
    """Robust location and scale of a series, with a memory of about 5 minutes.

    Huber's estimator made incremental: each value is clipped to 2.5 deviations from the location
    before it moves it, so that an outburst hardly shifts what is normal. The first 15 values are
    weighted equally.

    Parameters
    ----------
    floor
        Least deviation, absolute, in the unit of the series.
    relative_floor
        Least deviation over the location.
    """

    def __init__(self, shape: tuple[int, ...], floor: float, relative_floor: float = 0.05) -> None:
        self._floor, self._relative_floor = floor, relative_floor
        self._count = np.zeros(shape)
        self._location = np.full(shape, np.nan)
        self._deviation = np.zeros(shape)

    @property
    def location(self) -> FloatArray:
        """What is normal; NaN before the first value."""
        return self._location

    @property
    def scale(self) -> FloatArray:
        """Standard deviation of what is normal, not below its floors."""
        least = np.maximum(self._floor, self._relative_floor * np.abs(self._location))
        scale: FloatArray = np.maximum(self._deviation, least)
        return scale

    def deviation(self, value: FloatArray) -> FloatArray:
        """How many standard deviations a value is from normal, -20 to 20."""
        z: FloatArray = np.clip((value - self._location) / self.scale, -MAX_Z, MAX_Z)
        return z

    def update(self, value: FloatArray) -> None:
        """Take one value per series; NaN leaves the baseline as it is."""
        known = np.isfinite(value)
        self._count = np.minimum(self._count + known, BASELINE_FRAMES)
        first = known & (self._count == 1)
        location = np.where(first, value, self._location)
        rate = np.where(known, 1.0 / np.maximum(self._count, 1.0), 0.0)
        reach = np.where(self._count <= WARM_FRAMES, np.inf, CLIP_DEVIATIONS * self.scale)
        error = np.where(known, np.clip(value - location, -reach, reach), 0.0)
        self._location = location + rate * error
        variance = self._deviation**2 * (1.0 - rate) + rate * error * error
        self._deviation = np.sqrt(variance)


class Smoothed:
    """Exponentially weighted mean; NaN leaves it as it is."""

    def __init__(self, shape: tuple[int, ...], frames: float) -> None:
        self._rate = 1.0 - np.exp(-1.0 / frames)
        self._value = np.full(shape, np.nan)

    def update(self, value: FloatArray) -> FloatArray:
        """Take one value per series, return the means."""
        step = self._rate * (value - self._value)
        moved = np.where(np.isnan(step), self._value, self._value + step)
        self._value = np.where(np.isnan(self._value), value, moved)
        return self._value


class Window:
    """The last values of N series, and least-squares slopes over them."""

    def __init__(self, shape: tuple[int, ...], frames: int, interval_s: float) -> None:
        self._values = np.full((frames, *shape), np.nan)
        self._frames = frames
        self._interval_s = interval_s
        self._taken = 0

    def update(self, value: FloatArray) -> None:
        """Take one value per series; NaN repeats the value before."""
        last = self._values[(self._taken - 1) % self._frames]
        self._values[self._taken % self._frames] = np.where(np.isnan(value), last, value)
        self._taken += 1

    def slope_per_s(self, frames: int) -> FloatArray:
        """Least-squares slope over the last frames, per second; NaN before there are as many."""
        slope = np.full(self._values.shape[1:], np.nan)
        if self._taken < frames:
            return slope
        slope[:] = 0.0
        centre = (frames - 1) / 2.0
        scale = 1.0 / (np.sum((np.arange(frames) - centre) ** 2) * self._interval_s)
        # One value after the other, so that the sum does not depend on the size of the batch.
        for age in range(frames):
            slope += (centre - age) * scale * self._values[(self._taken - 1 - age) % self._frames]
        return slope
