"""How the services stand, as messages."""

from __future__ import annotations

import math

from ml.features import NAMES
from ml.serving.critical_path import critical_paths
from server.pipeline.snapshot import Forecast, Snapshot
from server.rpc.times import timestamp
from sre_edge.v1 import analysis_pb2
from telemetry.graph import FloatArray


def service(
    taken: Snapshot, forecast: Forecast, healthy: FloatArray, i: int
) -> analysis_pb2.ServiceAnalysis:
    """Say how one service stands; `healthy` is the health of all, (S,)."""
    message = analysis_pb2.ServiceAnalysis(
        service=taken.graph.names[i],
        health=float(healthy[i]),
        cascade_risk=float(forecast.cascade_risk[i]),
        violations=_violations(taken, i),
    )
    below = float(forecast.features[i, NAMES.index("dependency_health")])
    if math.isfinite(below):
        message.dependency_health = below
    return message


def paths(taken: Snapshot) -> list[analysis_pb2.CriticalPath]:
    """Give the critical path of every entry that was called."""
    return [
        analysis_pb2.CriticalPath(
            entry=path.entry,
            latency_ms=path.latency_ms,
            hops=[
                analysis_pb2.Hop(service=hop.service, time_ms=hop.time_ms, share=hop.share)
                for hop in path.hops
            ],
        )
        for path in critical_paths(taken.graph, taken.frame)
    ]


def anomalies(taken: Snapshot, wanted: frozenset[str]) -> list[analysis_pb2.Anomaly]:
    """Give what is not as usual at these services."""
    return [
        analysis_pb2.Anomaly(
            service=found.service,
            metric=found.metric,
            value=found.value,
            expected=found.expected,
            deviations=found.deviations,
            start_time=timestamp(found.since),
        )
        for found in taken.anomalies
        if found.service in wanted
    ]


def _violations(taken: Snapshot, i: int) -> list[analysis_pb2.SloViolation]:
    frame, graph = taken.frame, taken.graph
    offered_rps = frame.request_count[0, i] / frame.interval_s
    # An objective that is not known is NaN: nothing is on the wrong side of it.
    judged = (
        ("latency_p95_ms", frame.latency_p95_ms, graph.slo_latency_ms, 1.0),
        ("error_rate_percent", frame.error_rate_percent, graph.slo_error_rate_percent, 1.0),
        (
            "availability_percent", frame.availability_percent,
            graph.slo_availability_percent, -1.0,
        ),
        ("throughput_rps", frame.throughput_rps, graph.slo_throughput_rps, -1.0),
    )  # fmt: skip
    return [
        analysis_pb2.SloViolation(
            metric=name, value=float(values[0, i]), objective=float(objective[i])
        )
        for name, values, objective, sign in judged
        if sign * values[0, i] > sign * objective[i]
        # A throughput objective counts only while the offered load is above it.
        and not (name == "throughput_rps" and offered_rps < objective[i])
    ]
