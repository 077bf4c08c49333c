"""Conversion of snapshots, predictions and topologies to messages: pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ml.definitions.incident_types import INCIDENT_TYPES, IncidentType
from ml.definitions.risk import RISES_AT, RiskLevel, risk_level
from ml.features import NAMES
from ml.serving.factors import Factor
from ml.serving.recommendations import Recommendation
from server.pipeline.clock import Clock
from server.pipeline.snapshot import Forecast, Snapshot
from server.records.findings import Status
from server.rpc import times
from server.rpc.enums import EnumMap
from sre_edge.v1 import (
    clock_pb2,
    prediction_pb2,
    snapshot_pb2,
    topology_pb2,
)
from telemetry.graph import FloatArray, ServiceGraph

STATUSES = EnumMap(Status, snapshot_pb2.Status, "STATUS")
RISK: Mapping[RiskLevel, prediction_pb2.RiskLevel.ValueType] = {
    level: prediction_pb2.RiskLevel.Value(f"RISK_LEVEL_{level.name}") for level in RiskLevel
}
RISKS = np.array([RISK[level] for level in RiskLevel], dtype=np.uint8)
"""The same as an array, in the ascending order of `RiskLevel`."""
INCIDENT_TYPE_NAMES = EnumMap(IncidentType, prediction_pb2.IncidentType, "INCIDENT_TYPE")

Indices = tuple[int, ...] | None
"""Indices of selected services, in topology order; None: all."""


def cursor(snapshot: Snapshot) -> snapshot_pb2.Cursor:
    """Make the cursor of a snapshot."""
    return snapshot_pb2.Cursor(run_id=snapshot.run.id, sequence=snapshot.sequence)


def risks(probabilities: FloatArray) -> NDArray[np.uint8]:
    """Classify calibrated probabilities, (N,), as values of the enum of risk levels."""
    return RISKS[np.digitize(probabilities, RISES_AT)]


def add_features(message: prediction_pb2.Prediction, row: FloatArray) -> None:
    """Add the features, (F,), of a prediction; those that are not finite are left out."""
    for name, value in zip(NAMES, row.tolist(), strict=True):
        if math.isfinite(value):
            message.features[name] = value


def add_type(message: prediction_pb2.Prediction, types: FloatArray) -> None:
    """Add the most likely type of incident, by the probabilities, (K,)."""
    likeliest = int(types.argmax())
    message.incident_type = INCIDENT_TYPE_NAMES.value[INCIDENT_TYPES[likeliest]]
    message.confidence = float(types[likeliest])


def add_advice(message: prediction_pb2.Prediction, advice: Iterable[Recommendation]) -> None:
    """Add recommendations."""
    for one in advice:
        message.recommendations.add(service=one.service, action=one.action)


def factor(reason: Factor) -> prediction_pb2.Factor:
    """Convert a factor of a prediction."""
    return prediction_pb2.Factor(
        feature=reason.feature,
        service=reason.service,
        value=reason.value,
        contribution=reason.contribution,
        description=reason.text,
    )


def system_prediction(snapshot: Snapshot, forecast: Forecast) -> prediction_pb2.SystemPrediction:
    """Convert the prediction for the system as a whole."""
    return prediction_pb2.SystemPrediction(
        incident_probability=forecast.system_probability,
        risk_level=RISK[risk_level(forecast.system_probability)],
        service_most_at_risk=snapshot.graph.names[int(forecast.probability.argmax())],
        horizon=times.duration(forecast.horizon_s),
        model_version=forecast.model_version,
    )


def topology(graph: ServiceGraph) -> topology_pb2.Topology:
    """Convert a graph; unknown numbers are NaN, unknown integers and durations are unset."""
    message = topology_pb2.Topology(
        name=graph.name, services=[_service(graph, i) for i in range(graph.services)]
    )
    for edge, (caller, callee) in enumerate(
        zip(graph.caller.tolist(), graph.callee.tolist(), strict=True)
    ):
        timeout_ms = float(graph.timeout_ms[edge])
        message.services[caller].dependencies.add(
            service=graph.names[callee],
            calls_per_request=float(graph.calls_per_request[edge]),
            timeout=times.duration(timeout_ms / 1e3) if math.isfinite(timeout_ms) else None,
            retries=_whole(graph.retries[edge]),
            required=bool(graph.required[edge]),
        )
    return message


def clock(state: Clock) -> clock_pb2.Clock:
    """Convert the state of the clock."""
    return clock_pb2.Clock(paused=state.paused, speed=state.speed)


def _service(graph: ServiceGraph, i: int) -> topology_pb2.Service:
    """Convert a service without its dependencies."""
    throughput_rps = float(graph.slo_throughput_rps[i])
    return topology_pb2.Service(
        name=graph.names[i],
        kind=topology_pb2.ServiceKind.Value(f"SERVICE_KIND_{graph.kinds[i].upper()}"),
        replicas=_whole(graph.replicas[i]),
        entry=bool(graph.entry[i]),
        ingress_rps=float(graph.ingress_rps[i]),
        slo=topology_pb2.ServiceLevelObjective(
            latency_ms=float(graph.slo_latency_ms[i]),
            error_rate_percent=float(graph.slo_error_rate_percent[i]),
            availability_percent=float(graph.slo_availability_percent[i]),
            throughput_rps=throughput_rps if math.isfinite(throughput_rps) else None,
        ),
    )


def _whole(number: float) -> int:
    """Convert an integer; an unknown one is 0, which means unset."""
    return int(number) if math.isfinite(number) else 0
