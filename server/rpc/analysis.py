"""How the services stand, as messages."""

from __future__ import annotations

import math

from ml.features import NAMES
from ml.serving.critical_path import critical_paths
from server.pipeline.snapshot import Forecast, Snapshot
from server.pipeline.violations import missed_objectives
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
        violations=[
            analysis_pb2.SloViolation(
                metric=missed.metric, value=missed.value, objective=missed.objective
            )
            for missed in missed_objectives(taken.frame, taken.graph, i)
        ],
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
