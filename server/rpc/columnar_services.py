"""The services of a snapshot as columns of bytes, with their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from google.protobuf.descriptor import Descriptor
from numpy.typing import NDArray

from ml.definitions.risk import MEDIUM_FROM
from ml.serving.recommendations import Recommendation
from server.pipeline.advice import advice_for_most_at_risk
from server.pipeline.snapshot import Forecast, Snapshot
from server.records.findings import Status
from server.rpc import ages, columns, convert, times
from server.rpc.columns import DOUBLE, ENUM, Column, tag, varint
from sre_edge.v1 import prediction_pb2
from telemetry.graph import FloatArray, IntArray, ServiceGraph
from telemetry.metrics import Metric

_PREDICTION = prediction_pb2.Prediction.DESCRIPTOR
_STATUS = {status: place for place, status in enumerate(Status)}


def encoded(
    layout: Descriptor,
    metrics: Sequence[Metric],
    snapshot: Snapshot,
    chosen: IntArray,
    *,
    predictions: bool,
) -> bytes:
    """Encode the services with these indices, as the field `services` of a snapshot."""
    service = columns.messages_of(layout, "services")
    values = [getattr(snapshot.frame, metric.field)[0, chosen] for metric in metrics]
    statuses = np.array([_STATUS[snapshot.statuses[place]] for place in chosen.tolist()], int)
    parts = [
        _names(service, snapshot.graph).of(chosen),
        _statuses(service).of(statuses),
        columns.doubles(service, [metric.name for metric in metrics], values),
        *columns.without_zeros(service, ages.of_services(snapshot.frame, chosen)),
    ]
    if predictions and snapshot.forecast is not None:
        expected = _predictions(snapshot, snapshot.forecast, chosen)
        parts += columns.nested(service, "prediction", expected)
    return columns.joined(columns.nested(layout, "services", parts))


def _predictions(snapshot: Snapshot, forecast: Forecast, chosen: IntArray) -> list[Column]:
    """Encode the predictions: names, numbers, and more details for services at risk."""
    probability = forecast.probability[chosen]
    rows = np.repeat(_record(forecast.horizon_s, forecast.model_version), len(chosen))
    rows["incident_probability"] = probability
    rows["risk_level"] = convert.risks(probability)
    rows["cascade_risk"] = forecast.cascade_risk[chosen]
    at_risk = np.flatnonzero(probability >= MEDIUM_FROM)
    advised = advice_for_most_at_risk(snapshot, forecast.probability, forecast.types, chosen)
    more = columns.column(
        _more(forecast.types[service], advised.get(service, ()))
        for service in chosen[at_risk].tolist()
    )
    names = _names(_PREDICTION, snapshot.graph).of(chosen)
    return [names, columns.records(rows), more.among(at_risk, len(chosen))]


@lru_cache(maxsize=8)
def _record(horizon_s: float, version: str) -> NDArray[np.void]:
    """Make a record (1,) of the parts that all predictions of a model share."""
    same = prediction_pb2.Prediction(horizon=times.duration(horizon_s), model_version=version)
    fields = {"incident_probability": DOUBLE, "risk_level": ENUM, "cascade_risk": DOUBLE}
    return columns.template(_PREDICTION, fields, same.SerializeToString())


def _more(types: FloatArray, advice: Sequence[Recommendation]) -> bytes:
    """Encode the details that only services at risk have."""
    message = prediction_pb2.Prediction()
    convert.add_type(message, types)
    convert.add_advice(message, advice)
    return message.SerializeToString()


@lru_cache(maxsize=4)
def _names(message: Descriptor, graph: ServiceGraph) -> Column:
    """Encode the name of each service, for its metrics or its prediction."""
    return columns.strings(message, "service", graph.names)


@lru_cache(maxsize=2)
def _statuses(service: Descriptor) -> Column:
    """Encode each status, in the order of `Status`."""
    before = tag(service, "status", ENUM)
    return columns.column(before + varint(convert.STATUSES.value[status]) for status in Status)
