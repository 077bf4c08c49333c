"""The services and edges of a snapshot as plain messages, which is fastest for few of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ml.definitions.risk import MEDIUM_FROM, risk_level
from server.pipeline.advice import advice_for_most_at_risk
from server.pipeline.snapshot import Forecast, Snapshot
from server.rpc import ages, convert, times
from server.rpc.ages import Ages
from telemetry.graph import IntArray
from telemetry.metrics import Metric

Message = Any
"""A `Snapshot`, or a message of a later version of it."""


def add_services(
    message: Message,
    metrics: Sequence[Metric],
    snapshot: Snapshot,
    chosen: IntArray,
    *,
    predictions: bool,
) -> None:
    """Add the services with these indices to a snapshot."""
    names = snapshot.graph.names
    known = _values(metrics, snapshot, chosen, ages.of_services(snapshot.frame, chosen))
    for service, values in zip(chosen.tolist(), known, strict=True):
        message.services.add(
            service=names[service],
            status=convert.STATUSES.value[snapshot.statuses[service]],
            **values,
        )
    if predictions and snapshot.forecast is not None:
        _add_predictions(message, snapshot, snapshot.forecast, chosen)


def add_edges(
    message: Message, metrics: Sequence[Metric], snapshot: Snapshot, shown: IntArray
) -> None:
    """Add the edges with these indices to a snapshot."""
    graph = snapshot.graph
    known = _values(metrics, snapshot, shown, ages.of_edges(snapshot.frame, shown))
    for edge, values in zip(shown.tolist(), known, strict=True):
        message.edges.add(
            caller=graph.names[graph.caller[edge]],
            callee=graph.names[graph.callee[edge]],
            **values,
        )


def _values(
    metrics: Sequence[Metric], snapshot: Snapshot, chosen: IntArray, old: Ages
) -> Iterator[dict[str, float]]:
    """Yield the metrics of each of some services, or edges, and how old they are."""
    names = [*(metric.name for metric in metrics), *old]
    values = [getattr(snapshot.frame, metric.field)[0, chosen] for metric in metrics]
    for row in np.array([*values, *old.values()]).T.tolist():
        yield dict(zip(names, row, strict=True))


def _add_predictions(
    message: Message, snapshot: Snapshot, forecast: Forecast, chosen: IntArray
) -> None:
    """Add a prediction to each service, with more details at risk."""
    advised = advice_for_most_at_risk(snapshot, forecast.probability, forecast.types, chosen)
    horizon, version = times.duration(forecast.horizon_s), forecast.model_version
    probabilities = forecast.probability[chosen].tolist()
    risks = forecast.cascade_risk[chosen].tolist()
    for added, service, probability, cascade_risk in zip(
        message.services, chosen.tolist(), probabilities, risks, strict=True
    ):
        prediction = added.prediction
        prediction.service = added.service
        prediction.incident_probability = probability
        prediction.risk_level = convert.RISK[risk_level(probability)]
        prediction.cascade_risk = cascade_risk
        prediction.horizon.CopyFrom(horizon)
        prediction.model_version = version
        if probability >= MEDIUM_FROM:
            convert.add_type(prediction, forecast.types[service])
            convert.add_advice(prediction, advised.get(service, ()))
