"""Service level objectives, and how much of an interval missed them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from server.records.findings import Objective
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph

OBJECTIVES = tuple(Objective)
MIN_ALLOWED = 1e-5
"""An objective of 100 % leaves no budget; 99.999 % is used, so that burn rates are finite."""


@dataclass(frozen=True, eq=False, slots=True)
class Objectives:
    """The objectives of S services, as arrays of shape (S,), and `allowed` of shape (4, S).

    Attributes
    ----------
    latency_ms, error_rate_percent, availability_percent, throughput_rps
        Objectives of the graph, (S,); NaN where there is none.
    allowed
        Share that may be bad, in the order of `OBJECTIVES`: of requests slower than the latency
        objective, of failed requests, of replica time lost, and of the promised throughput
        missed; the last one is the share of requests that may fail.
    """

    latency_ms: FloatArray
    error_rate_percent: FloatArray
    availability_percent: FloatArray
    throughput_rps: FloatArray
    allowed: FloatArray

    @staticmethod
    def of(graph: ServiceGraph) -> Objectives:
        """Read the objectives of a graph."""
        slower = np.round((100.0 - graph.slo_latency_percentile) / 100.0, 12)
        failed = graph.slo_error_rate_percent / 100.0
        lost = np.round((100.0 - graph.slo_availability_percent) / 100.0, 12)
        return Objectives(
            latency_ms=graph.slo_latency_ms,
            error_rate_percent=graph.slo_error_rate_percent,
            availability_percent=graph.slo_availability_percent,
            throughput_rps=graph.slo_throughput_rps,
            allowed=np.clip(np.array([slower, failed, lost, failed]), MIN_ALLOWED, 1.0),
        )

    def stated(self, objective: Objective) -> FloatArray:
        """Values of one objective, (S,), in its own unit."""
        return {
            Objective.LATENCY: self.latency_ms,
            Objective.ERROR_RATE: self.error_rate_percent,
            Objective.AVAILABILITY: self.availability_percent,
            Objective.THROUGHPUT: self.throughput_rps,
        }[objective]

    def judge(self, frame: Frame) -> FloatArray:
        """Count what was bad in a frame, and the total: (2, 4, S).

        Requests for latency and errors; seconds for availability; promised requests for
        throughput, which counts only while the offered load is at least what is promised. What
        was not observed is neither good nor bad.
        """
        requests = np.nan_to_num(frame.request_count[0])
        failed = np.nan_to_num(frame.failed_count[0])
        slow = slower_share(frame, self.latency_ms)
        ready = frame.availability_percent[0]
        known = np.where(np.isfinite(ready), frame.interval_s, 0.0)
        promised = self.throughput_rps * frame.interval_s
        counts = (requests >= promised) & (promised > 0.0)
        missed = np.maximum(promised - np.nan_to_num(frame.throughput_rps[0]) * frame.interval_s, 0)
        bad = [
            np.nan_to_num(slow) * requests,
            failed,
            known * (1.0 - np.nan_to_num(ready) / 100.0),
            np.where(counts, missed, 0.0),
        ]
        total = [
            np.where(np.isfinite(slow), requests, 0.0),
            requests,
            known,
            np.where(counts, promised, 0.0),
        ]
        return np.array([bad, total])


def slower_share(frame: Frame, limit_ms: FloatArray) -> FloatArray:
    """Share of requests slower than a limit, (S,), from the percentiles; NaN where not observed.

    The logarithm of the share falls in straight lines through the three percentiles, and beyond
    them as it did last: so it is 5 % where the limit is the 95th percentile.
    """
    median, p95, p99 = (
        frame.latency_p50_ms[0], frame.latency_p95_ms[0], frame.latency_p99_ms[0],
    )  # fmt: skip
    last = _along(limit_ms, p95, p99, np.log(0.05), np.log(0.01))
    middle = _along(limit_ms, median, p95, np.log(0.5), np.log(0.05))
    first = _along(limit_ms, np.zeros_like(median), median, 0.0, np.log(0.5))
    logarithm = np.where(limit_ms >= p95, last, np.where(limit_ms >= median, middle, first))
    share: FloatArray = np.where(np.isfinite(median + p95 + p99), np.exp(logarithm), np.nan)
    return share


def _along(
    x: FloatArray, low: FloatArray, high: FloatArray, at_low: float, at_high: float
) -> FloatArray:
    # Percentiles that coincide (all timed out) make a step.
    width = np.maximum(high - low, 1e-9)
    return np.minimum(at_low + (x - low) / width * (at_high - at_low), 0.0)
