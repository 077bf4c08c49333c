"""History features: deviations of a service from its own past, trends, and ages of events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.features.columns import Columns, places
from ml.features.strain import Jumps, StrainWindow, strain
from ml.features.table import DEVIATIONS, SINCE_JUMP, SLOPED, SLOPES
from ml.features.trends import Baseline, Smoothed, Window, filled
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph

MAX_AGE_S = 600.0
RECENT_FRAMES = 15
SMOOTHING_FRAMES = 5.0
UNUSUAL_Z = 4.0
MAX_P95_OVER_SLO = 20.0
MAX_CAPACITY_RATIO = 20.0
SHORT_BREACHES, LONG_BREACHES = 8, 30

_FLOORS = {
    "cpu": 1.0,
    "memory": 0.5,
    "latency": 0.5,
    "p95": 1.0,
    "error_rate": 0.3,
    "request": 2.0,
    "throughput_per_cpu": 1e-3,
    "critical_path": 1.0,
}
"""Series with a baseline, and the minimum of its standard deviation, in the unit of the series."""
_MAX_RATIOS = {
    "latency_ratio": ("latency", 100.0),
    "request_ratio": ("request", 20.0),
    "cpu_ratio": ("cpu", 20.0),
    "throughput_per_cpu_ratio": ("throughput_per_cpu", 20.0),
    "critical_path_ratio": ("critical_path", 100.0),
}
"""Ratios to a baseline: of which series, and the maximum value of the feature."""

_SERIES = {name: place for place, name in enumerate(_FLOORS)}
_Z = tuple(f"{name}_z" for name, _ in DEVIATIONS)
_Z_SMOOTH = tuple(f"{name}_z_smooth" for name, _ in DEVIATIONS)
_SLOPES = [
    (frames, tuple(f"{name}_slope_{window}" for name, _, _ in SLOPED)) for window, frames in SLOPES
]
_RECENT = places([source for _, source, _, _ in SINCE_JUMP])
_SLOPES_SINCE_JUMP = tuple(f"{name}_slope_since_jump" for name, _, _, _ in SINCE_JUMP)
_CHANGES = tuple(f"{name}_change_{span}" for name, _, _, _ in SINCE_JUMP for span in ("2s", "4s"))
_AGES = ("since_breach_s", "since_change_s", "since_jump_s", "unusual_for_s")
_REACHED_AT_SLOPE = ("memory_full_s", "cpu_full_s", "slo_reached_s")
_REACHED_SINCE_JUMP = (
    "breach_reached_s",
    "cpu_full_since_jump_s",
    "availability_gone_since_jump_s",
    "availability_gone_s",
)


class HistoryFeatures:
    """Follows B copies of S services over time."""

    def __init__(self, graph: ServiceGraph, shape: tuple[int, int], interval_s: float) -> None:
        self._graph = graph
        self._interval_s = interval_s
        deviations = (len(DEVIATIONS), *shape)
        floors = np.array(list(_FLOORS.values()))[:, None, None]
        self._baseline = Baseline((len(_FLOORS), *shape), floors)
        self._smoothed = Smoothed(deviations, SMOOTHING_FRAMES)
        self._window = Window((len(SLOPED), *shape), SLOPES[-1][1], interval_s)
        self._strain = StrainWindow(shape, interval_s)
        self._jumps = Jumps(deviations)
        self._recent = Window((len(SINCE_JUMP), *shape), RECENT_FRAMES, interval_s)
        self._breaches = _Breaches(shape)
        self._ages = np.full((len(_AGES), *shape), MAX_AGE_S)
        self._ages[_AGES.index("unusual_for_s")] = 0.0

    def update(self, frame: Frame, bad: NDArray[np.bool_], c: Columns) -> None:
        """Take one frame, of which its metrics and calls are in the columns already.

        `bad`, (B, S), says which services are breached in it.
        """
        z = self._deviate(frame, c)
        self._slope(frame, c)
        c["breached_16s"], c["breached_60s"] = self._breaches.update(bad)
        self._age(bad, self._jumps.update(z), c)
        self._strain.update(strain(frame, self._graph), c)
        self._settle(c)
        self._reach(c)

    def _deviate(self, frame: Frame, c: Columns) -> FloatArray:
        """Compare with what is normal; return the deviations."""
        request_rps = frame.request_count / frame.interval_s
        values = np.array(
            [  # in the order of _FLOORS
                frame.cpu_percent,
                frame.memory_percent,
                frame.latency_ms,
                frame.latency_p95_ms,
                frame.error_rate_percent,
                request_rps,
                request_rps / np.maximum(frame.cpu_percent, 1.0),
                c["critical_path_latency_ms"],
            ]
        )
        usual = self._baseline.location
        z = self._baseline.update(values)[: len(_Z)]
        c.block(_Z)[:], c.block(_Z_SMOOTH)[:] = z, self._smoothed.update(z)
        for name, (series, limit) in _MAX_RATIOS.items():
            place = _SERIES[series]
            c[name] = np.minimum(values[place] / usual[place], limit)
        # At its normal cost per request, the request rate that fills the CPU.
        capacity_rps = 100.0 * usual[_SERIES["throughput_per_cpu"]]
        c["capacity_ratio"] = np.minimum(request_rps / capacity_rps, MAX_CAPACITY_RATIO)
        return z

    def _slope(self, frame: Frame, c: Columns) -> None:
        self._window.update(
            np.array(
                [  # in the order of SLOPED
                    frame.cpu_percent,
                    frame.memory_percent,
                    np.minimum(c["p95_over_slo"], MAX_P95_OVER_SLO),
                    frame.error_rate_percent,
                    c["request_ratio"],
                    frame.availability_percent,
                    c["throughput_per_cpu_ratio"],
                ]
            )
        )
        for frames, names in _SLOPES:
            self._window.slope_per_s(frames, out=c.block(names))

    def _age(self, bad: NDArray[np.bool_], jumped: NDArray[np.bool_], c: Columns) -> None:
        """Count the time since each of `_AGES` last happened."""
        unusual = np.logical_or.reduce(np.abs(c.block(_Z_SMOOTH)) > UNUSUAL_Z, axis=0)
        happened = np.array([bad, unusual, jumped, ~unusual])
        older = np.minimum(self._ages + self._interval_s, MAX_AGE_S)
        self._ages = np.where(happened, 0.0, older)
        c.block(_AGES)[:] = self._ages

    def _settle(self, c: Columns) -> None:
        """Compute trends since the last jump of a metric, the jump itself excluded."""
        self._recent.update(filled(c.take(_RECENT)))
        frames = np.round(c["since_jump_s"] / self._interval_s)
        means, slopes = self._recent.since(frames)
        c["strain_since_jump"] = means[0]
        c.block(_SLOPES_SINCE_JUMP)[:] = slopes
        recent = self._recent.last(3)
        changes = c.block(_CHANGES)
        np.subtract(recent[-1], recent[max(-2, -len(recent))], out=changes[0::2])
        np.subtract(recent[-1], recent[0], out=changes[1::2])

    def _reach(self, c: Columns) -> None:
        """Extrapolate when limits will be reached."""
        headroom, present = c["cpu_headroom"], c["availability_percent"]
        left = np.array(
            [
                100.0 - c["memory_percent"],
                headroom,
                1.0 - c["p95_over_slo"],
                np.maximum(1.0 - c["strain_mean_4s"], 0.0),
                headroom,
                present,
                present,
            ]
        )
        slope = np.array(
            [
                c["memory_slope_30s"],
                c["cpu_slope_30s"],
                c["p95_slo_slope_30s"],
                c["strain_slope_since_jump"],
                c["cpu_slope_since_jump"],
                -c["availability_slope_since_jump"],
                -c["availability_slope_10s"],
            ]
        )
        reached = _reached_s(left, slope)
        c.block(_REACHED_AT_SLOPE)[:] = reached[: len(_REACHED_AT_SLOPE)]
        c.block(_REACHED_SINCE_JUMP)[:] = reached[len(_REACHED_AT_SLOPE) :]


class _Breaches:
    """Share of breached intervals among the last ones."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._ring = np.zeros((LONG_BREACHES, *shape))
        self._short, self._long = np.zeros(shape), np.zeros(shape)
        self._frames = 0

    def update(self, bad: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        """Take one interval; give the shares of the last 8 and 30."""
        place = self._frames % LONG_BREACHES
        self._short += bad - self._ring[place - SHORT_BREACHES]
        self._long += bad - self._ring[place]
        self._ring[place] = bad
        self._frames += 1
        return self._short / SHORT_BREACHES, self._long / LONG_BREACHES


def _reached_s(distance: FloatArray, slope_per_s: FloatArray) -> FloatArray:
    """Time until a distance is gone at a slope, 0 to 600 s; 600 if it does not shrink."""
    time_s: FloatArray = np.clip(distance / slope_per_s, 0.0, MAX_AGE_S)
    never = (slope_per_s <= 1e-9) & ~np.isnan(distance)
    np.copyto(time_s, MAX_AGE_S, where=never)
    return time_s
