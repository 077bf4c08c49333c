"""Frames in, one row of features per service out; the same code trains and serves."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ml.breach import breached
from ml.cascade import cascade_risk
from ml.features.neighbours import Neighbours, distance_from, longest_paths
from ml.features.table import DEVIATIONS, NAMES, SLOPED, SLOPES
from ml.features.trends import Baseline, Smoothed, Window
from simulator.frame import Frame
from simulator.graph import FloatArray, ServiceGraph

WARM_UP_FRAMES = 30
"""Frames before the features mean anything: the longest window, and a first baseline."""
LONGEST_S = 600.0
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
    """

    def __init__(self, graph: ServiceGraph, copies: int = 1, interval_s: float = 2.0) -> None:
        shape = (copies, graph.services)
        self._graph = graph
        self._neighbours = Neighbours(graph)
        self._interval_s = interval_s
        self._baselines = {name: Baseline(shape, _FLOORS[name]) for name, _ in DEVIATIONS}
        self._per_cpu = Baseline(shape, 1e-3)
        self._critical_path = Baseline(shape, 1.0)
        self._edge_latency = Baseline((copies, graph.edges), 1.0, relative_floor=0.1)
        self._edge_share = Baseline((copies, graph.edges), 0.05)
        self._smoothed = {name: Smoothed(shape, SMOOTHING_FRAMES) for name, _ in DEVIATIONS}
        self._window = Window((len(SLOPED), *shape), SLOPES[-1][1], interval_s)
        self._breaches = np.zeros((30, *shape))
        self._since_breach = np.full(shape, LONGEST_S)
        self._since_change = np.full(shape, LONGEST_S)
        self._static = self._static_columns(shape)
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
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            columns: Columns = {**self._static}
            self._own(frame, columns)
            self._trends(frame, columns)
            self._edges(frame, columns)
            self._below(frame, columns)
            self._above(frame, columns)
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
        c["cpu_headroom"] = 100.0 - frame.cpu_percent

    def _trends(self, frame: Frame, c: Columns) -> None:
        request_rps = frame.request_count / frame.interval_s
        values = {
            "cpu": frame.cpu_percent,
            "memory": frame.memory_percent,
            "latency": frame.latency_ms,
            "p95": frame.latency_p95_ms,
            "error_rate": frame.error_rate_percent,
            "request": request_rps,
        }
        unusual: NDArray[np.bool_] = np.zeros(request_rps.shape, dtype=np.bool_)
        for name, value in values.items():
            z = self._baselines[name].deviation(value)
            c[f"{name}_z"] = z
            c[f"{name}_z_smooth"] = self._smoothed[name].update(z).copy()
            unusual = unusual | (np.abs(c[f"{name}_z_smooth"]) > UNUSUAL_Z)
        c["latency_ratio"] = self._over_normal("latency", frame.latency_ms, 100.0)
        c["request_ratio"] = self._over_normal("request", request_rps, 20.0)
        c["cpu_ratio"] = self._over_normal("cpu", frame.cpu_percent, 20.0)
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
        c["since_breach_s"], c["since_change_s"] = self._since_breach, self._since_change

        for name, value in values.items():
            self._baselines[name].update(value)
        self._per_cpu.update(per_cpu)

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

    def _below(self, frame: Frame, c: Columns) -> None:
        near, rate = self._neighbours, frame.edge_call_rate_rps
        missing = 100.0 - frame.availability_percent
        c["dependency_p95_over_slo"] = near.worst_dependency(c["p95_over_slo"])
        c["dependency_error_worst"] = near.worst_dependency(frame.error_rate_percent)
        c["dependency_error_mean"] = near.mean_dependency(frame.error_rate_percent, rate)
        c["dependency_cpu_worst"] = near.worst_dependency(frame.cpu_percent)
        c["dependency_memory_worst"] = near.worst_dependency(frame.memory_percent)
        c["dependency_unavailable"] = near.worst_dependency(missing)
        c["dependency_latency_z"] = near.worst_dependency(c["latency_z_smooth"])
        c["dependency_cpu_z"] = near.worst_dependency(c["cpu_z_smooth"])
        c["below_cpu_worst"] = near.worst_below(frame.cpu_percent)
        c["below_memory_worst"] = near.worst_below(frame.memory_percent)
        c["below_memory_soonest_s"] = -near.worst_below(-c["memory_full_s"])
        c["below_unavailable"] = near.worst_below(missing)
        c["below_capacity_worst"] = near.worst_below(c["capacity_ratio"])
        c["below_breached_60s"] = near.worst_below(c["breached_60s"])

        health = _health(frame, c)
        c["dependency_health"] = near.mean_dependency(health, np.maximum(rate, 1e-3))
        c["cascade_risk"] = near.worst_below(_seed_cascade_risk(frame))
        violations = (
            (c["p95_over_slo"] > 1.0).astype(np.float64)
            + (c["errors_over_slo"] > 1.0)
            + (frame.availability_percent < self._graph.slo_availability_percent)
        )
        c["slo_violations"] = violations + np.nan_to_num(near.worst_below(violations))
        waiting = near.mean_dependency(np.ones_like(missing), rate)
        called = self._static["fan_out"] > 0
        edge_time = frame.edge_latency_ms * np.nan_to_num(self._graph.calls_per_request, nan=1.0)
        inside = np.where(called & np.isfinite(waiting), near.worst_edge(edge_time), 0.0)
        own = np.maximum(np.nan_to_num(frame.latency_ms) - np.nan_to_num(inside), 0.0)
        weight = np.minimum(np.nan_to_num(self._graph.calls_per_request, nan=1.0), 1.0)
        path = near.longest_below(own, weight)
        c["critical_path_latency_ms"] = path
        c["critical_path_ratio"] = np.minimum(path / self._critical_path.location, 100.0)
        self._critical_path.update(path)

    def _above(self, frame: Frame, c: Columns) -> None:
        near = self._neighbours
        c["caller_request_ratio"] = near.worst_caller(c["request_ratio"])
        c["caller_error_worst"] = near.worst_caller(frame.error_rate_percent)
        c["caller_breached_60s"] = near.worst_caller(c["breached_60s"])
        c["caller_request_z_mean"] = near.mean_caller(
            c["request_z_smooth"], frame.edge_call_rate_rps
        )

    def _clock(self, clock: list[datetime] | None, c: Columns) -> None:
        shape = c["cpu_percent"].shape
        hour, peak, weekend = (np.full(shape, np.nan) for _ in range(3))
        for copy, now in enumerate(clock or []):
            hour[copy] = now.hour + now.minute / 60.0
            peak[copy] = 9 <= now.hour < 18
            weekend[copy] = now.weekday() >= 5
        c["hour_of_day"], c["is_peak_hour"], c["is_weekend"] = hour, peak, weekend

    def _over_normal(self, name: str, value: FloatArray, most: float) -> FloatArray:
        ratio: FloatArray = np.minimum(value / self._baselines[name].location, most)
        return ratio

    def _aged(self, since_s: FloatArray, happened: NDArray[np.bool_]) -> FloatArray:
        return np.where(happened, 0.0, np.minimum(since_s + self._interval_s, LONGEST_S))

    def _static_columns(self, shape: tuple[int, int]) -> Columns:
        graph = self._graph
        fan_out = np.bincount(graph.caller, minlength=graph.services).astype(np.float64)
        required = np.bincount(graph.caller, graph.required, graph.services)
        retries = np.zeros(graph.services)
        np.fmax.at(retries, graph.caller, graph.retries)
        with np.errstate(invalid="ignore"):
            columns = {
                "is_entry": graph.entry.astype(np.float64),
                "distance_from_entry": distance_from(graph.entry, graph.caller, graph.callee),
                "height": longest_paths(graph.caller, graph.callee, graph.services) * 1.0,
                "fan_out": fan_out,
                "fan_in": np.bincount(graph.callee, minlength=graph.services) * 1.0,
                "required_share": required / np.where(fan_out > 0, fan_out, np.nan),
                "retries_most": retries,
                "failure_spread": cascade_risk(graph),
            }
        return {name: np.broadcast_to(value, shape) for name, value in columns.items()}


def _reached_s(distance: FloatArray, slope_per_s: FloatArray) -> FloatArray:
    """Time until a distance is gone at a slope, 0 to 600 s; 600 if it does not shrink."""
    time_s = np.where(slope_per_s > 1e-9, distance / slope_per_s, LONGEST_S)
    reached: FloatArray = np.where(
        np.isnan(distance) | np.isnan(slope_per_s), np.nan, np.clip(time_s, 0.0, LONGEST_S)
    )
    return reached


def _health(frame: Frame, c: Columns) -> FloatArray:
    """Health of each service, 0 to 1: the seed's notion as one product."""
    answered = 1.0 - np.nan_to_num(frame.error_rate_percent) / 100.0
    present = np.nan_to_num(frame.availability_percent, nan=100.0) / 100.0
    late = np.clip(np.nan_to_num(c["p95_over_slo"]) - 1.0, 0.0, 1.0)
    return answered * present * (1.0 - 0.5 * late)


def _seed_cascade_risk(frame: Frame) -> FloatArray:
    """Apply the seed's rule for its database to any service: 1 if down, else by thresholds."""
    score = (
        0.4 * (frame.cpu_percent > 80.0)
        + 0.3 * (frame.error_rate_percent > 5.0)
        + 0.3 * (frame.availability_percent < 95.0)
    )
    risk: FloatArray = np.where(frame.availability_percent <= 0.0, 1.0, np.minimum(score, 1.0))
    return risk
