"""The analysis of a snapshot, as messages: pure functions."""

from __future__ import annotations

import math

from ml.features import NAMES
from ml.serving.critical_path import critical_paths
from server.pipeline.snapshot import Forecast, Snapshot
from server.pipeline.violations import missed_objectives
from server.records.findings import Status
from server.rpc.times import timestamp
from sre_edge.v1 import analysis_pb2
from telemetry.graph import FloatArray


def service(
    snapshot: Snapshot, forecast: Forecast, healthy: FloatArray, i: int
) -> analysis_pb2.ServiceAnalysis:
    """Convert the analysis of one service; `healthy` is the health of all, (S,)."""
    message = analysis_pb2.ServiceAnalysis(
        service=snapshot.graph.names[i],
        health=math.nan if snapshot.statuses[i] is Status.UNKNOWN else float(healthy[i]),
        cascade_risk=float(forecast.cascade_risk[i]),
        violations=[
            analysis_pb2.SloViolation(
                metric=missed.metric, value=missed.value, objective=missed.objective
            )
            for missed in missed_objectives(snapshot.frame, snapshot.graph, i)
        ],
    )
    below = float(forecast.features[i, NAMES.index("dependency_health")])
    if math.isfinite(below):
        message.dependency_health = below
    return message


def paths(snapshot: Snapshot) -> list[analysis_pb2.CriticalPath]:
    """Convert the critical path of every entry service that was called."""
    return [
        analysis_pb2.CriticalPath(
            entry=path.entry,
            latency_ms=path.latency_ms,
            hops=[
                analysis_pb2.Hop(service=hop.service, time_ms=hop.time_ms, share=hop.share)
                for hop in path.hops
            ],
        )
        for path in critical_paths(snapshot.graph, snapshot.frame)
    ]


def anomalies(snapshot: Snapshot, services: frozenset[str]) -> list[analysis_pb2.Anomaly]:
    """Convert the anomalies of some services."""
    return [
        analysis_pb2.Anomaly(
            service=anomaly.service,
            metric=anomaly.metric,
            value=anomaly.value,
            expected=anomaly.expected,
            deviations=anomaly.deviations,
            start_time=timestamp(anomaly.since),
        )
        for anomaly in snapshot.anomalies
        if anomaly.service in services
    ]
