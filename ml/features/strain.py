"""Strain: how close a service is to a breach, and when its metrics jumped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.definitions.breach import MIN_ERROR_RATE_PERCENT, MIN_FAILED_REQUESTS
from ml.features.columns import Columns
from ml.features.trends import Window, filled
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph

MAX_STRAIN = 3.0
SHORT_FRAMES, LONG_FRAMES = 5, 15
MIN_DEVIATION = 0.02
MAX_MARGIN = 20.0
JUMP_Z = 10.0
"""Four standard deviations of the second difference of noise."""


def strain(frame: Frame, graph: ServiceGraph) -> FloatArray:
    """Compute the strain of each service: 0 without any load, 1 at a breach, at most 3; (B, S).

    The larger of the error rate over the rate that breaches at the present number of requests, and
    the 95th percentile of the latency over its objective; 3 with no replica up.
    """
    limit_percent = np.maximum(
        MIN_ERROR_RATE_PERCENT, 100.0 * MIN_FAILED_REQUESTS / np.maximum(frame.request_count, 1.0)
    )
    failing = frame.error_rate_percent / limit_percent
    slow = frame.latency_p95_ms / graph.slo_latency_ms
    worst = np.minimum(np.fmax(failing, slow), MAX_STRAIN)
    result: FloatArray = np.where(frame.availability_percent <= 0.0, MAX_STRAIN, worst)
    return result


class StrainWindow:
    """The strain of the last 30 s, and what follows from it."""

    def __init__(self, shape: tuple[int, ...], interval_s: float) -> None:
        self._window = Window(shape, LONG_FRAMES, interval_s)

    def update(self, value: FloatArray, c: Columns) -> None:
        """Take one frame's strain."""
        self._window.update(value)
        short, long = self._window.last(SHORT_FRAMES), self._window.last(LONG_FRAMES)
        mean_short = short.sum(axis=0) / len(short)
        spread = short - mean_short
        spread *= spread
        deviation = np.sqrt(spread.sum(axis=0) / len(short))
        slope = self._window.slope_per_s(LONG_FRAMES, out=c["strain_slope_30s"])
        self._window.slope_per_s(SHORT_FRAMES, out=c["strain_slope_10s"])
        margin = (1.0 - mean_short) / np.maximum(deviation, MIN_DEVIATION)
        c["strain"] = value
        c["strain_mean_4s"] = short[-2:].sum(axis=0) / len(short[-2:])
        c["strain_mean_10s"] = mean_short
        c["strain_mean_30s"] = long.sum(axis=0) / len(long)
        c["strain_least_10s"] = short.min(axis=0)
        c["strain_most_30s"] = long.max(axis=0)
        c["strain_deviation_10s"] = deviation
        c["strain_margin"] = np.clip(margin, -MAX_MARGIN, MAX_MARGIN)
        c["strain_in_30s"] = np.clip(mean_short + 30.0 * slope, -MAX_STRAIN, 2.0 * MAX_STRAIN)


class Jumps:
    """Notices when any of N deviations of a service jumps, or begins or ends to rise or fall.

    It is the second difference that tells: on a steady slope there is none, however steep.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._before: FloatArray | None = None
        self._change: FloatArray = np.zeros(shape)

    def update(self, deviations: FloatArray) -> NDArray[np.bool_]:
        """Take the deviations (N, B, S) of a frame; say which services jumped, (B, S)."""
        before = deviations if self._before is None else self._before
        change = filled(deviations - before)
        jumped: NDArray[np.bool_] = np.logical_or.reduce(
            np.abs(change - self._change) > JUMP_Z, axis=0
        )
        self._before, self._change = deviations, change
        return jumped
