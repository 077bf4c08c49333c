"""The services of a snapshot as bytes, with what the model expects of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ml.definitions.risk import MEDIUM_FROM, RISES_AT, RiskLevel
from ml.serving.recommendations import Recommendation
from server.pipeline.advice import advice_for_most_at_risk
from server.pipeline.snapshot import Forecast, Snapshot
from server.records.findings import Status
from server.rpc import columns, convert, times
from server.rpc.columns import BYTES, DOUBLE, ENUM, Column, tag
from sre_edge.v1 import prediction_pb2, snapshot_pb2
from telemetry.graph import FloatArray, IntArray, ServiceGraph
from telemetry.metrics import SERVICE_METRICS

VALUES = tuple(metric.name for metric in SERVICE_METRICS)
_SERVICE, _PREDICTION = snapshot_pb2.ServiceMetrics.DESCRIPTOR, prediction_pb2.Prediction.DESCRIPTOR
_STATUSES = columns.column(
    snapshot_pb2.ServiceMetrics(status=convert.STATUSES.value[status]).SerializeToString()
    for status in Status
)
_STATUS = {status: place for place, status in enumerate(Status)}
# In the order of `RiskLevel`, which rises.
_RISKS = np.array([convert.RISK[level] for level in RiskLevel], dtype=np.uint8)


def encoded(taken: Snapshot, chosen: IntArray, *, predictions: bool) -> bytes:
    """Encode the services with these indices, as the field `services` of a `Snapshot`."""
    names = _names(taken.graph).of(chosen)
    values = [getattr(taken.frame, name)[0, chosen] for name in VALUES]
    parts = [
        names,
        _STATUSES.of(np.array([_STATUS[taken.statuses[place]] for place in chosen.tolist()], int)),
        columns.doubles(_SERVICE, VALUES, values),
    ]
    if predictions and taken.forecast is not None:
        parts += columns.nested(
            _SERVICE, "prediction", _predictions(taken, taken.forecast, chosen, names)
        )
    return columns.joined(columns.nested(snapshot_pb2.Snapshot.DESCRIPTOR, "services", parts))


def _predictions(
    taken: Snapshot, forecast: Forecast, chosen: IntArray, names: Column
) -> list[Column]:
    """Give what is expected of each service: its name, the figures, and more of those at risk."""
    probability = forecast.probability[chosen]
    rows = np.repeat(_record(forecast.horizon_s, forecast.model_version), len(chosen))
    rows["probability"] = probability
    rows["risk"] = _RISKS[np.digitize(probability, RISES_AT)]
    rows["cascade"] = forecast.cascade_risk[chosen]
    at_risk = np.flatnonzero(probability >= MEDIUM_FROM)
    ranked = at_risk[np.argsort(-probability[at_risk], kind="stable")]
    advised = advice_for_most_at_risk(taken, forecast.probability, forecast.types, chosen)
    more = columns.column(
        _more(forecast.types[service], advised.get(service, ()))
        for service in chosen[ranked].tolist()
    )
    return [names, columns.records(rows), more.among(ranked, len(chosen))]


@lru_cache(maxsize=8)
def _record(horizon_s: float, version: str) -> NDArray[np.void]:
    """Make a record (1,) of what all predictions of a model say, without their values."""
    same = prediction_pb2.Prediction(horizon=times.duration(horizon_s), model_version=version)
    data = same.SerializeToString()
    record = np.zeros(
        1,
        dtype=[
            ("tag of probability", "u1"), ("probability", "<f8"),
            ("tag of risk", "u1"), ("risk", "u1"),
            ("tag of cascade", "u1"), ("cascade", "<f8"),
            ("same", f"V{len(data)}"),
        ],
    )  # fmt: skip
    record["tag of probability"] = tag(_PREDICTION, "incident_probability", DOUBLE)
    record["tag of risk"] = tag(_PREDICTION, "risk_level", ENUM)
    record["tag of cascade"] = tag(_PREDICTION, "cascade_risk", DOUBLE)
    record["same"] = np.void(data)
    return record


def _more(types: FloatArray, advice: Sequence[Recommendation]) -> bytes:
    """Give what is said of a service at risk alone."""
    message = prediction_pb2.Prediction()
    convert.add_type(message, types)
    convert.add_advice(message, advice)
    return message.SerializeToString()


@lru_cache(maxsize=2)
def _names(graph: ServiceGraph) -> Column:
    """Give the name of each service, written alike in its metrics and in its prediction."""
    assert tag(_SERVICE, "service", BYTES) == tag(_PREDICTION, "service", BYTES)  # noqa: S101
    named = (snapshot_pb2.ServiceMetrics(service=name) for name in graph.names)
    return columns.column(one.SerializeToString() for one in named)
