"""Between the system and the wire: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ml.definitions.incident_types import INCIDENT_TYPES, IncidentType
from ml.definitions.risk import RiskLevel, risk_level
from ml.features import NAMES
from ml.serving.factors import Factor
from ml.serving.recommendations import recommendations
from server.pipeline.clock import Clock
from server.pipeline.snapshot import Forecast, Snapshot
from server.records.findings import Status
from server.rpc import times
from server.rpc.names import Names
from sre_edge.v1 import (
    clock_pb2,
    prediction_pb2,
    snapshot_pb2,
    topology_pb2,
)
from telemetry.graph import FloatArray, ServiceGraph

STATUSES = Names(Status, snapshot_pb2.Status, "STATUS")
RISK: Mapping[RiskLevel, prediction_pb2.RiskLevel.ValueType] = {
    level: prediction_pb2.RiskLevel.Value(f"RISK_LEVEL_{level.name}") for level in RiskLevel
}
INCIDENT_TYPE_NAMES = Names(IncidentType, prediction_pb2.IncidentType, "INCIDENT_TYPE")

Indices = tuple[int, ...] | None
"""Services that a client wants, in topology order; None: all."""


def cursor(taken: Snapshot) -> snapshot_pb2.Cursor:
    """Place of a snapshot in the stream."""
    return snapshot_pb2.Cursor(run_id=taken.run.id, sequence=taken.sequence)


def add_features(message: prediction_pb2.Prediction, row: FloatArray) -> None:
    """Say what the model saw, (F,); what was not observed is left out."""
    for name, value in zip(NAMES, row.tolist(), strict=True):
        if math.isfinite(value):
            message.features[name] = value


def add_type(message: prediction_pb2.Prediction, types: FloatArray) -> None:
    """Say which type is the most likely, (K,) probabilities given."""
    likeliest = int(types.argmax())
    message.incident_type = INCIDENT_TYPE_NAMES.value[INCIDENT_TYPES[likeliest]]
    message.confidence = float(types[likeliest])


def add_advice(
    message: prediction_pb2.Prediction,
    taken: Snapshot,
    service: int,
    types: FloatArray,
    factors: Sequence[Factor] = (),
) -> None:
    """Say what to do."""
    for advice in recommendations(taken.graph, taken.frame, service, types, factors):
        message.recommendations.add(service=advice.service, action=advice.action)


def factor(found: Factor) -> prediction_pb2.Factor:
    """Convert a reason."""
    message = prediction_pb2.Factor(
        feature=found.feature,
        service=found.service,
        contribution=found.contribution,
        description=found.text,
    )
    if math.isfinite(found.value):
        message.value = found.value
    return message


def system_prediction(taken: Snapshot, forecast: Forecast) -> prediction_pb2.SystemPrediction:
    """Convert what the model expects of the system."""
    return prediction_pb2.SystemPrediction(
        incident_probability=forecast.system_probability,
        risk_level=RISK[risk_level(forecast.system_probability)],
        service_most_at_risk=taken.graph.names[int(forecast.probability.argmax())],
        horizon=times.duration(forecast.horizon_s),
        model_version=forecast.model_version,
    )


def topology(graph: ServiceGraph) -> topology_pb2.Topology:
    """Convert a system."""
    calls: list[list[topology_pb2.Dependency]] = [[] for _ in graph.names]
    for edge, caller in enumerate(graph.caller.tolist()):
        calls[caller].append(_dependency(graph, edge))
    return topology_pb2.Topology(
        name=graph.name,
        services=[_service(graph, i, dependencies) for i, dependencies in enumerate(calls)],
    )


def clock(stated: Clock) -> clock_pb2.Clock:
    """Convert the state of the clock."""
    return clock_pb2.Clock(paused=stated.paused, speed=stated.speed)


def _service(
    graph: ServiceGraph, i: int, dependencies: list[topology_pb2.Dependency]
) -> topology_pb2.Service:
    return topology_pb2.Service(
        name=graph.names[i],
        kind=topology_pb2.ServiceKind.Value(f"SERVICE_KIND_{graph.kinds[i].upper()}"),
        replicas=int(graph.replicas[i]),
        entry=bool(graph.entry[i]),
        ingress_rps=graph.ingress_rps[i],
        slo=topology_pb2.ServiceLevelObjective(
            latency_ms=graph.slo_latency_ms[i],
            error_rate_percent=graph.slo_error_rate_percent[i],
            availability_percent=graph.slo_availability_percent[i],
            throughput_rps=graph.slo_throughput_rps[i],
        ),
        dependencies=dependencies,
    )


def _dependency(graph: ServiceGraph, edge: int) -> topology_pb2.Dependency:
    return topology_pb2.Dependency(
        service=graph.names[graph.callee[edge]],
        calls_per_request=graph.calls_per_request[edge],
        timeout=times.duration(graph.timeout_ms[edge] / 1e3),
        retries=int(graph.retries[edge]),
        required=bool(graph.required[edge]),
    )
