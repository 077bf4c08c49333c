"""Frames in, one row of features per service out; the same code trains and serves."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ml.breach import breached
from ml.features.health import health, seed_cascade_risk
from ml.features.neighbours import Neighbours
from ml.features.static import static_columns
from ml.features.strain import Jumps, StrainWindow, strain
from ml.features.table import DEVIATIONS, ELSEWHERE, NAMES, SINCE_JUMP, SLOPED, SLOPES
from ml.features.trends import Baseline, Smoothed, Window, filled
from simulator.frame import Frame
from simulator.graph import FloatArray, ServiceGraph

WARM_UP_FRAMES = 30
"""Frames before the features mean anything: the longest window, and a first baseline."""
LONGEST_S = 600.0
RECENT_FRAMES = 15
SMOOTHING_FRAMES = 5.0
UNUSUAL_Z = 4.0

_FLOORS = {
    "cpu": 1.0,
    "memory": 0.5,
    "latency": 0.5,
    "p95": 1.0,
    "error_rate": 0.3,
    "request": 2.0,
}
"""Least deviation of each metric that counts as normal, in its unit."""

_PLACE = {name: i for i, (name, _) in enumerate(DEVIATIONS)}

Columns = dict[str, FloatArray]


class FeatureExtractor:
    """Features of B copies of a system, frame by frame.

    Parameters
    ----------
    graph
        The system.
    copies
        B.
    interval_s
        Length of a frame in seconds.

    Raises
    ------
    ValueError
        If the system has no services.
    """

    def __init__(self, graph: ServiceGraph, copies: int = 1, interval_s: float = 2.0) -> None:
        if not graph.services:
            raise ValueError("expected a system of at least one service, got none")
        self._shape = shape = (copies, graph.services)
        self._graph = graph
        self._neighbours = Neighbours(graph)
        self._interval_s = interval_s
        floors = np.array([_FLOORS[name] for name, _ in DEVIATIONS])[:, None, None]
        self._baseline = Baseline((len(DEVIATIONS), *shape), floors)
        self._per_cpu = Baseline(shape, 1e-3)
        self._critical_path = Baseline(shape, 1.0)
        self._edge_latency = Baseline((copies, graph.edges), 1.0, relative_floor=0.1)
        self._edge_share = Baseline((copies, graph.edges), 0.05)
        self._smoothed = Smoothed((len(DEVIATIONS), *shape), SMOOTHING_FRAMES)
        self._window = Window((len(SLOPED), *shape), SLOPES[-1][1], interval_s)
        self._strain = StrainWindow(shape, interval_s)
        self._jumps = Jumps((len(DEVIATIONS), *shape))
        self._since_jump = np.full(shape, LONGEST_S)
        self._unusual_for = np.zeros(shape)
        self._recent = Window((len(SINCE_JUMP), *shape), RECENT_FRAMES, interval_s)
        self._breaches = np.zeros((30, *shape))
        self._since_breach = np.full(shape, LONGEST_S)
        self._since_change = np.full(shape, LONGEST_S)
        self._often = filled(graph.calls_per_request, 1.0)
        self._at_most_once = np.minimum(self._often, 1.0)
        self._static = static_columns(graph, shape)
        self._frames = 0

    @property
    def ready(self) -> bool:
        """Whether there were enough frames for the features to mean anything."""
        return self._frames >= WARM_UP_FRAMES

    def update(self, frame: Frame, clock: list[datetime] | None = None) -> FloatArray:
        """Take one frame.

        Parameters
        ----------
        frame
            The next one.
        clock
            Simulated time at which it starts, one per copy; None: not known.

        Returns
        -------
        (B, S, F) features in the order of `ml.features.table.FEATURES`; NaN where not known.

        Raises
        ------
        ValueError
            If the frame is of another system: a new one needs a new extractor.
        """
        for shape, values in (
            (self._shape, frame.cpu_percent),
            ((self._shape[0], self._graph.edges), frame.edge_call_rate_rps),
        ):
            if values.shape != shape:
                raise ValueError(f"expected a frame of shape {shape}, got {values.shape}")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            columns: Columns = {**self._static}
            self._own(frame, columns)
            self._trends(frame, columns)
            self._edges(frame, columns)
            self._elsewhere(columns)
            self._below(frame, columns)
            self._clock(clock, columns)
        self._frames += 1
        return np.stack([columns[name] for name in NAMES], axis=-1)

    def _own(self, frame: Frame, c: Columns) -> None:
        graph = self._graph
        c["cpu_percent"] = frame.cpu_percent
        c["memory_percent"] = frame.memory_percent
        c["error_rate_percent"] = frame.error_rate_percent
        c["availability_percent"] = frame.availability_percent
        c["latency_ms"] = frame.latency_ms
        c["throughput_rps"] = frame.throughput_rps
        c["failed_count_log"] = np.log1p(frame.failed_count)
        c["p95_over_slo"] = frame.latency_p95_ms / graph.slo_latency_ms
        c["latency_tail"] = frame.latency_p99_ms / frame.latency_p50_ms
        c["errors_over_slo"] = np.minimum(
            frame.error_rate_percent / graph.slo_error_rate_percent, 100.0
        )
        ready = graph.replicas * frame.availability_percent / 100.0
        left = np.where(ready > 1.0, (ready - 1.0) / ready, 0.0)
        after = np.minimum(frame.cpu_percent / np.maximum(left, 1e-3), 300.0)
        c["cpu_after_loss"] = np.where(np.isnan(ready), np.nan, after)
        c["cpu_headroom"] = 100.0 - frame.cpu_percent

    def _trends(self, frame: Frame, c: Columns) -> None:
        request_rps = frame.request_count / frame.interval_s
        values = np.stack(  # in the order of DEVIATIONS
            [
                frame.cpu_percent,
                frame.memory_percent,
                frame.latency_ms,
                frame.latency_p95_ms,
                frame.error_rate_percent,
                request_rps,
            ]
        )
        z = self._baseline.deviation(values)
        smooth = self._smoothed.update(z)
        ratios = values / self._baseline.location
        self._baseline.update(values)
        for i, (name, _) in enumerate(DEVIATIONS):
            c[f"{name}_z"], c[f"{name}_z_smooth"] = z[i], smooth[i]
        for name, most in (("latency", 100.0), ("request", 20.0), ("cpu", 20.0)):
            c[f"{name}_ratio"] = np.minimum(ratios[_PLACE[name]], most)
        unusual: NDArray[np.bool_] = np.any(np.abs(smooth) > UNUSUAL_Z, axis=0)
        per_cpu = request_rps / np.maximum(frame.cpu_percent, 1.0)
        c["throughput_per_cpu_ratio"] = np.minimum(per_cpu / self._per_cpu.location, 20.0)

        sloped = {
            "cpu": frame.cpu_percent,
            "memory": frame.memory_percent,
            "p95_slo": np.minimum(c["p95_over_slo"], 20.0),
            "error_rate": frame.error_rate_percent,
            "request": c["request_ratio"],
            "availability": frame.availability_percent,
            "throughput_per_cpu": c["throughput_per_cpu_ratio"],
        }
        self._window.update(np.stack([sloped[name] for name, _, _ in SLOPED]))
        for window, frames in SLOPES:
            slopes = self._window.slope_per_s(frames)
            for i, (name, _, _) in enumerate(SLOPED):
                c[f"{name}_slope_{window}"] = slopes[i]
        c["memory_full_s"] = _reached_s(100.0 - frame.memory_percent, c["memory_slope_30s"])
        c["cpu_full_s"] = _reached_s(c["cpu_headroom"], c["cpu_slope_30s"])
        c["slo_reached_s"] = _reached_s(1.0 - c["p95_over_slo"], c["p95_slo_slope_30s"])
        # At its normal cost per request, the request rate that fills the CPU.
        capacity = 100.0 * self._per_cpu.location
        c["capacity_ratio"] = np.minimum(request_rps / capacity, 20.0)

        bad = breached(frame, self._graph)
        self._breaches[self._frames % len(self._breaches)] = bad
        recent = (self._frames - np.arange(8)) % len(self._breaches)
        c["breached_16s"] = self._breaches[recent].mean(axis=0)
        c["breached_60s"] = self._breaches.mean(axis=0)
        self._since_breach = self._aged(self._since_breach, bad)
        self._since_change = self._aged(self._since_change, unusual)
        jumped = self._jumps.update(z)
        self._since_jump = self._aged(self._since_jump, jumped)
        lasting = np.minimum(self._unusual_for + self._interval_s, LONGEST_S)
        self._unusual_for = np.where(unusual, lasting, 0.0)
        c["since_jump_s"], c["unusual_for_s"] = self._since_jump, self._unusual_for
        c.update(self._strain.update(strain(frame, self._graph)))
        self._settling(c)
        c["availability_gone_s"] = _reached_s(
            frame.availability_percent, -c["availability_slope_10s"]
        )
        c["since_breach_s"], c["since_change_s"] = self._since_breach, self._since_change

        self._per_cpu.update(per_cpu)

    def _settling(self, c: Columns) -> None:
        """Say where the metrics have gone since they last jumped, the jump itself left out."""
        sources = [c[source] for _, source, _, _ in SINCE_JUMP]
        self._recent.update(filled(np.stack(sources)))
        frames = np.round(self._since_jump / self._interval_s)
        means, slopes = self._recent.since(frames)
        for i, (name, _, _, _) in enumerate(SINCE_JUMP):
            c[f"{name}_slope_since_jump"] = slopes[i]
        c["strain_since_jump"] = means[0]
        c["breach_reached_s"] = _reached_s(
            np.maximum(1.0 - c["strain_mean_4s"], 0.0), c["strain_slope_since_jump"]
        )
        c["cpu_full_since_jump_s"] = _reached_s(c["cpu_headroom"], c["cpu_slope_since_jump"])
        c["availability_gone_since_jump_s"] = _reached_s(
            c["availability_percent"], -c["availability_slope_since_jump"]
        )
        recent = self._recent.last(3)
        for i, (name, _, _, _) in enumerate(SINCE_JUMP):
            c[f"{name}_change_2s"] = recent[-1, i] - recent[max(-2, -len(recent)), i]
            c[f"{name}_change_4s"] = recent[-1, i] - recent[0, i]

    def _edges(self, frame: Frame, c: Columns) -> None:
        graph, worst = self._graph, self._neighbours.worst_edge
        c["edge_error_worst"] = worst(frame.edge_error_rate_percent)
        c["edge_latency_over_timeout"] = worst(frame.edge_latency_ms / graph.timeout_ms)
        c["edge_latency_z"] = worst(self._edge_latency.deviation(frame.edge_latency_ms))
        requests = np.maximum(frame.request_count[:, graph.caller], 1.0)
        share = frame.edge_call_rate_rps * frame.interval_s / requests
        c["edge_retry_ratio"] = worst(np.minimum(share / self._edge_share.location, 20.0))
        self._edge_latency.update(frame.edge_latency_ms)
        self._edge_share.update(share)

    def _elsewhere(self, c: Columns) -> None:
        """Find the extremes among other services, all of one kind at once."""
        near = self._neighbours
        for among, worst in (
            ("dependencies", near.worst_dependency),
            ("below", near.worst_below),
            ("callers", near.worst_caller),
        ):
            wanted = [row for row in ELSEWHERE if row[1] == among]
            stacked = np.concatenate([sign * c[base] for _, _, sign, base in wanted])
            found = np.split(worst(stacked), len(wanted))
            for (name, _, sign, _), value in zip(wanted, found, strict=True):
                c[name] = sign * value

    def _below(self, frame: Frame, c: Columns) -> None:
        near, rate = self._neighbours, frame.edge_call_rate_rps
        c["caller_request_z_mean"] = near.mean_caller(c["request_z_smooth"], rate)
        c["dependency_error_mean"] = near.mean_dependency(frame.error_rate_percent, rate)

        c["dependency_health"] = near.mean_dependency(
            health(frame, self._graph), np.maximum(rate, 1e-3)
        )
        c["cascade_risk"] = near.worst_below(
            seed_cascade_risk(
                frame.cpu_percent, frame.error_rate_percent, frame.availability_percent
            )
        )
        violations = (
            (c["p95_over_slo"] > 1.0).astype(np.float64)
            + (c["errors_over_slo"] > 1.0)
            + (frame.availability_percent < self._graph.slo_availability_percent)
        )
        c["slo_violations"] = violations + filled(near.worst_below(violations))
        waiting = near.mean_dependency(np.ones_like(frame.cpu_percent), rate)
        called = self._static["fan_out"] > 0
        edge_time = frame.edge_latency_ms * self._often
        inside = np.where(called & np.isfinite(waiting), near.worst_edge(edge_time), 0.0)
        own = np.maximum(filled(frame.latency_ms) - filled(inside), 0.0)
        weight = self._at_most_once
        path = near.longest_below(own, weight)
        c["critical_path_latency_ms"] = path
        c["critical_path_ratio"] = np.minimum(path / self._critical_path.location, 100.0)
        self._critical_path.update(path)

    def _clock(self, clock: list[datetime] | None, c: Columns) -> None:
        shape = c["cpu_percent"].shape
        hour, peak, weekend = (np.full(shape, np.nan) for _ in range(3))
        for copy, now in enumerate(clock or []):
            hour[copy] = now.hour + now.minute / 60.0
            peak[copy] = 9 <= now.hour < 18
            weekend[copy] = now.weekday() >= 5
        c["hour_of_day"], c["is_peak_hour"], c["is_weekend"] = hour, peak, weekend

    def _aged(self, since_s: FloatArray, happened: NDArray[np.bool_]) -> FloatArray:
        return np.where(happened, 0.0, np.minimum(since_s + self._interval_s, LONGEST_S))


def _reached_s(distance: FloatArray, slope_per_s: FloatArray) -> FloatArray:
    """Time until a distance is gone at a slope, 0 to 600 s; 600 if it does not shrink."""
    time_s = np.where(slope_per_s > 1e-9, distance / slope_per_s, LONGEST_S)
    reached: FloatArray = np.where(
        np.isnan(distance) | np.isnan(slope_per_s), np.nan, np.clip(time_s, 0.0, LONGEST_S)
    )
    return reached
