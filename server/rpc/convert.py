"""Between the engine and the wire: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ml.definitions.incident_types import INCIDENT_TYPES, IncidentType
from ml.definitions.risk import RiskLevel, risk_level
from ml.features import NAMES
from ml.serving.factors import Factor
from ml.serving.recommendations import recommendations
from server.pipeline.snapshot import Forecast, Snapshot, Status
from server.rpc import times
from server.rpc.names import Names
from server.systems.clock import Clock
from simulator.topology.resolved import Service, Topology
from sre_edge.v1 import (
    clock_pb2,
    prediction_pb2,
    snapshot_pb2,
    topology_pb2,
)
from telemetry.graph import FloatArray

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
    for advice in recommendations(taken.run.graph, taken.frame, service, types, factors):
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
        service_most_at_risk=taken.run.graph.names[int(forecast.probability.argmax())],
        horizon=times.duration(forecast.horizon_s),
        model_version=forecast.model_version,
    )


def topology(system: Topology) -> topology_pb2.Topology:
    """Convert a topology."""
    return topology_pb2.Topology(
        name=system.name, services=[_service(service) for service in system.services]
    )


def clock(stated: Clock) -> clock_pb2.Clock:
    """Convert the state of the clock."""
    return clock_pb2.Clock(paused=stated.paused, speed=stated.speed)


def _service(service: Service) -> topology_pb2.Service:
    slo = service.slo
    return topology_pb2.Service(
        name=service.name,
        kind=topology_pb2.ServiceKind.Value(f"SERVICE_KIND_{service.kind.upper()}"),
        replicas=service.replicas,
        entry=service.ingress_rps > 0,
        ingress_rps=service.ingress_rps,
        slo=topology_pb2.ServiceLevelObjective(
            latency_ms=slo.latency_ms,
            error_rate_percent=slo.error_rate_percent,
            availability_percent=slo.availability_percent,
            throughput_rps=slo.throughput_rps,
        ),
        dependencies=[
            topology_pb2.Dependency(
                service=call.service,
                calls_per_request=call.calls_per_request,
                timeout=times.duration(call.timeout_ms / 1e3),
                retries=call.retries,
                required=call.required,
            )
            for call in service.dependencies
        ],
    )
