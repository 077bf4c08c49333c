"""Which objectives a service misses in one frame."""

from __future__ import annotations

from typing import NamedTuple

from telemetry.frame import Frame
from telemetry.graph import ServiceGraph


class MissedObjective(NamedTuple):
    """One objective that a service misses.

    Attributes
    ----------
    metric
        Field of the frame that it is an objective for.
    value, objective
        Observed value and objective, in the metric's unit.
    """

    metric: str
    value: float
    objective: float


AT_MOST = {
    "latency_p95_ms": "slo_latency_ms",
    "error_rate_percent": "slo_error_rate_percent",
}
"""Metrics that have to stay at or below their objective, with its field in the graph."""
AT_LEAST = {
    "availability_percent": "slo_availability_percent",
    "throughput_rps": "slo_throughput_rps",
}
"""Metrics that have to stay at or above it."""


def missed_objectives(frame: Frame, graph: ServiceGraph, service: int) -> list[MissedObjective]:
    """List the objectives that a service of copy 0 misses.

    What was not observed misses none, and an objective that is not known is not missed: both are
    NaN. One for the throughput counts only while the offered load is at least as high.
    """
    offered_rps = frame.request_count[0, service] / frame.interval_s
    missed = []
    for metric, field in (AT_MOST | AT_LEAST).items():
        value = float(getattr(frame, metric)[0, service])
        objective = float(getattr(graph, field)[service])
        if metric == "throughput_rps" and offered_rps < objective:
            continue
        if value > objective if metric in AT_MOST else value < objective:
            missed.append(MissedObjective(metric, value, objective))
    return missed
