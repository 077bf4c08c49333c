"""Statistics of a whole run, per service, over all copies after the warm-up."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.laws.latency_law import quantiles
from simulator.simulation import Simulation
from telemetry.frame import Frame
from telemetry.graph import FloatArray

# Each frame's law is taken at the middle of these steps, which are finer in the tail.
_STEPS = np.concatenate([np.linspace(0.0, 0.95, 96), np.linspace(0.95, 1.0, 101)[1:]])
_LEVELS = tuple(float(level) for level in (_STEPS[1:] + _STEPS[:-1]) / 2.0)
_WEIGHTS = np.diff(_STEPS)
_BINS = 1600
_LOG_MIN, _LOG_MAX = np.log(1e-5), np.log(1e4)


class RunStatistics:
    """Accumulates frames.

    Latency here is that of answered requests at the service itself, not cut off at timeouts; its
    percentiles come from a histogram whose bins are 1.3 % wide, interpolated.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        services = simulation.graph.services
        self._frames = 0
        self._histogram = np.zeros((services, _BINS), dtype=np.float32)
        self._requests, self._time_s = np.zeros(services), np.zeros(services)
        self._utilization, self._ready = np.zeros(services), np.zeros(services)
        self._served, self._attempts = np.zeros(services), np.zeros(services)
        self._failed, self._availability = np.zeros(services), np.zeros(services)

    def add(self, frame: Frame) -> None:
        """Add the latest frame of the simulation."""
        latency, truth = self._simulation.service_latency, self._simulation.truth
        self._frames += 1
        self._attempts += frame.request_count.sum(axis=0)
        self._failed += frame.failed_count.sum(axis=0)
        self._served += frame.throughput_rps.sum(axis=0)
        self._availability += frame.availability_percent.sum(axis=0)
        known = np.isfinite(truth.utilization)
        self._utilization += np.where(known, truth.utilization, 0.0).sum(axis=0)
        self._ready += known.sum(axis=0)

        answered = np.isfinite(latency.mean_s) & (latency.requests > 0)
        self._requests += np.where(answered, latency.requests, 0.0).sum(axis=0)
        self._time_s += np.where(answered, latency.requests * latency.mean_s, 0.0).sum(axis=0)
        copies, services = np.nonzero(answered)
        values = quantiles(latency.mean_s[answered], latency.variance_s2[answered], _LEVELS)
        place = (np.log(np.maximum(values, 1e-9)) - _LOG_MIN) / (_LOG_MAX - _LOG_MIN) * _BINS
        bins = np.clip(place.astype(np.intp), 0, _BINS - 1)
        weight = latency.requests[copies, services][:, None] * _WEIGHTS
        np.add.at(self._histogram, (services[:, None], bins), weight)

    def report(self) -> dict[str, Any]:
        """Give the figures per service, as plain values."""
        graph, copies = self._simulation.graph, self._simulation.copies
        frames = max(self._frames * copies, 1)
        seconds = frames * self._simulation.interval_s
        percentiles = {p: self._percentile(p / 100.0) for p in (50, 95, 99)}
        mean = np.divide(
            self._time_s, self._requests, out=np.full(graph.services, np.nan),
            where=self._requests > 0,
        )  # fmt: skip
        return {
            name: {
                "latency_ms": {
                    "mean": _plain(1e3 * mean[i]),
                    **{f"p{p}": _plain(1e3 * values[i]) for p, values in percentiles.items()},
                },
                "utilization": _plain(self._utilization[i] / max(self._ready[i], 1)),
                "throughput_rps": _plain(self._served[i] / frames),
                "arrival_rps": _plain(self._attempts[i] / seconds),
                "error_rate_percent": _plain(100.0 * self._failed[i] / max(self._attempts[i], 1)),
                "availability_percent": _plain(self._availability[i] / frames),
            }
            for i, name in enumerate(graph.names)
        }

    def _percentile(self, level: float) -> FloatArray:
        """Latency in seconds that a share `level` of the requests stays below, shape (S,)."""
        result = np.full(len(self._histogram), np.nan)
        width = (_LOG_MAX - _LOG_MIN) / _BINS
        for i, counts in enumerate(self._histogram):
            held = np.flatnonzero(counts)
            if held.size:
                below = np.cumsum(counts[held]) - 0.5 * counts[held]
                log = _LOG_MIN + (held + 0.5) * width
                result[i] = np.exp(np.interp(level * counts.sum(), below, log))
        return result


def _plain(value: float) -> float | None:
    """Round for people and JSON; None stands for not observed."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
