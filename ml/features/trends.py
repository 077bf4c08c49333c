"""A service against its own past: a robust baseline, and slopes over windows of frames.

Everything is incremental from frame to frame and works on arrays of any shape; NaN is a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telemetry.graph import FloatArray

BASELINE_FRAMES = 150
WARM_FRAMES = 15
CLIP_DEVIATIONS = 2.5
MAX_Z = 20.0


def filled(values: FloatArray, missing: float = 0.0) -> FloatArray:
    """Values with NaN replaced."""
    return np.where(np.isnan(values), missing, values)


class Baseline:
    """Robust location and scale of a series, with a memory of about 5 minutes.

    Huber's estimator made incremental: each value is clipped to 2.5 deviations from the location
    before it moves it, so that an outburst hardly shifts what is normal. The first 15 values are
    weighted equally.

    Parameters
    ----------
    floor
        Least deviation, absolute, in the unit of the series; broadcasts to them.
    relative_floor
        Least deviation over the location; broadcasts to them.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        floor: FloatArray | float,
        relative_floor: FloatArray | float = 0.05,
    ) -> None:
        self._floor, self._relative_floor = floor, relative_floor
        self._count = np.zeros(shape)
        self._location = np.full(shape, np.nan)
        self._variance = np.zeros(shape)

    def rearrange(self, place: Callable[[NDArray[Any], Any], NDArray[Any]]) -> None:
        """Go on with other series; `place` takes values and what those of a new series are."""
        self._count = place(self._count, 0.0)
        self._location = place(self._location, np.nan)
        self._variance = place(self._variance, 0.0)

    @property
    def location(self) -> FloatArray:
        """What is normal; NaN before the first value."""
        return self._location

    @property
    def scale(self) -> FloatArray:
        """Standard deviation of what is normal, not below its floors."""
        floor = np.maximum(self._floor, self._relative_floor * np.abs(self._location))
        scale: FloatArray = np.maximum(np.sqrt(self._variance), floor)
        return scale

    def deviation(self, value: FloatArray) -> FloatArray:
        """How many standard deviations a value is from normal, -20 to 20."""
        z: FloatArray = np.clip((value - self._location) / self.scale, -MAX_Z, MAX_Z)
        return z

    def update(self, value: FloatArray) -> FloatArray:
        """Take one value per series; NaN leaves the baseline as it is.

        Returns
        -------
        Its `deviation` from what was normal before.
        """
        distance, scale = value - self._location, self.scale
        known = np.isfinite(value)
        self._count = np.minimum(self._count + known, BASELINE_FRAMES)
        rate = known / np.maximum(self._count, 1.0)
        reach = np.where(self._count <= WARM_FRAMES, np.inf, CLIP_DEVIATIONS * scale)
        # The first value has no distance: it becomes the location.
        clipped = np.minimum(np.maximum(distance, -reach), reach)
        shift = np.where(known & (self._count > 1.0), clipped, 0.0)
        step = rate * shift
        location = np.where(known & (self._count == 1.0), value, self._location)
        self._location = location + step
        self._variance = self._variance * (1.0 - rate) + step * shift
        z: FloatArray = np.clip(distance / scale, -MAX_Z, MAX_Z)
        return z


class Smoothed:
    """Exponentially weighted mean; NaN leaves it as it is."""

    def __init__(self, shape: tuple[int, ...], frames: float) -> None:
        self._rate = 1.0 - np.exp(-1.0 / frames)
        self._value = np.full(shape, np.nan)

    def update(self, value: FloatArray) -> FloatArray:
        """Take one value per series, return the means."""
        step = self._rate * (value - self._value)
        updated = np.where(np.isnan(step), self._value, self._value + step)
        self._value = np.where(np.isnan(self._value), value, updated)
        return self._value


class Window:
    """The last values of N series, and least-squares slopes over them.

    Every value is written twice, so that the last ones are always a view in the order of time.
    Sums run over the time of each series alone, whatever the size of the batch.
    """

    def __init__(self, shape: tuple[int, ...], frames: int, interval_s: float) -> None:
        self._values = np.full((2 * frames, *shape), np.nan)
        self._frames = frames
        self._interval_s = interval_s
        self._updates = 0

    def update(self, value: FloatArray) -> None:
        """Take one value per series; NaN repeats the value before."""
        place = self._updates % self._frames
        last = self._values[place - 1 + self._frames]
        kept = np.where(np.isnan(value), last, value)
        self._values[place] = kept
        self._values[place + self._frames] = kept
        self._updates += 1

    def last(self, frames: int) -> FloatArray:
        """Give the last values, or as many as there are, (n, ...), the newest last."""
        end = (self._updates - 1) % self._frames + self._frames + 1
        return self._values[end - min(frames, self._updates) : end]

    def slope_per_s(self, frames: int, out: FloatArray | None = None) -> FloatArray:
        """Least-squares slope over the last frames, per second; NaN before there are as many."""
        slope = np.empty(self._values.shape[1:]) if out is None else out
        if self._updates < frames:
            slope.fill(np.nan)
            return slope
        # Whole and half numbers, so that the slope of what does not change is 0 and nothing else.
        place = np.arange(frames) - (frames - 1) / 2.0
        np.einsum("t...,t->...", self.last(frames), place, out=slope)
        slope *= 12.0 / (frames * (frames * frames - 1.0) * self._interval_s)
        return slope

    def since(self, frames: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and least-squares slope per second over the last values, so many of each service.

        Parameters
        ----------
        frames
            (B, S) how many; at most as many as there are. The series are (K, B, S).

        Returns
        -------
        (K, B, S) each; NaN over none, the slope over less than 2.
        """
        values = self.last(self._frames)
        age = np.arange(len(values) - 1.0, -1.0, -1.0)[:, None, None]
        included = (age < frames).astype(np.float64)
        count = np.minimum(frames, len(values))
        total = np.einsum("tk...,t...->k...", values, included)
        moment = np.einsum("tk...,t...->k...", values, included * age)
        mean_age = 0.5 * (count - 1.0)
        spread = count * (count * count - 1.0) / 12.0
        with np.errstate(divide="ignore", invalid="ignore"):  # 0 over 0 is NaN, as promised
            mean: FloatArray = total / count
            slope: FloatArray = (mean_age * total - moment) / (spread * self._interval_s)
        return mean, slope
