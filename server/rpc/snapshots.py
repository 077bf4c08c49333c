"""Snapshots as messages, column by column: tens of thousands of services in a few dozen ms.

A loop over one column that sets one field costs a fifth of making one message after another;
`tests/server/test_encoding.py` holds it against that.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from ml.risk import MEDIUM_FROM, risk_level
from server.chaos.records import injected
from server.history import FRAME_METRICS
from server.rpc import convert, faults, times
from server.rpc import edges as edge_bytes
from server.snapshot import Forecast, Snapshot
from simulator.graph import FloatArray, IntArray
from sre_edge.v1 import simulation_service_pb2, snapshot_pb2

_TAG = bytes([simulation_service_pb2.StreamMetricsResponse.SNAPSHOT_FIELD_NUMBER << 3 | 2])
MOST_ADVISED = 100
"""Services of a snapshot, those most at risk, that come with recommendations; `Predict` has all."""


def snapshot(
    taken: Snapshot, wanted: convert.Indices, *, edges: bool = True, predictions: bool = True
) -> snapshot_pb2.Snapshot:
    """Convert a snapshot, with the services wanted."""
    graph, frame = taken.run.graph, taken.frame
    chosen = np.arange(graph.services) if wanted is None else np.array(wanted, dtype=np.intp)
    message = snapshot_pb2.Snapshot(
        cursor=convert.cursor(taken),
        time=times.timestamp(taken.time),
        interval_seconds=frame.interval_s,
        produced_time=times.timestamp(taken.produced_time),
        active_faults=[faults.fault(injected(active, taken.run)) for active in taken.faults],
        clock=convert.clock(taken.clock),
        kill_switch=taken.kill_switch,
    )
    places = chosen.tolist()
    status, add = convert.STATUSES.value, message.services.add
    services = [add(service=graph.names[i], status=status[taken.statuses[i]]) for i in places]
    for name in FRAME_METRICS:
        _fill(services, name, getattr(frame, name)[0, chosen])
    if edges:
        _add_edges(message, taken, touching(taken, wanted))
    if taken.forecast is not None:
        message.system.CopyFrom(convert.system_prediction(taken, taken.forecast))
        if predictions:
            _add_predictions(services, taken, taken.forecast, chosen)
    return message


def encoded(
    taken: Snapshot, wanted: convert.Indices, *, edges: bool = True, predictions: bool = True
) -> bytes:
    """Encode a snapshot as a message of the stream."""
    data = snapshot(taken, wanted, edges=False, predictions=predictions).SerializeToString()
    shown = edge_bytes.encoded(taken, touching(taken, wanted)) if edges else b""
    return _TAG + edge_bytes.varint(len(data) + len(shown)) + data + shown


def touching(taken: Snapshot, wanted: convert.Indices) -> IntArray:
    """Find the edges from or to the services wanted; gives their indices."""
    graph = taken.run.graph
    if wanted is None:
        return np.arange(graph.edges)
    among = np.zeros(graph.services, dtype=np.bool_)
    among[list(wanted)] = True
    return np.flatnonzero(among[graph.caller] | among[graph.callee])


def _fill(messages: Sequence[Any], field: str, values: FloatArray) -> None:
    """Set a field of each message; a value that was not observed stays unset."""
    for message, value in zip(messages, values.tolist(), strict=True):
        if isfinite(value):
            setattr(message, field, value)


def _add_edges(message: snapshot_pb2.Snapshot, taken: Snapshot, shown: IntArray) -> None:
    graph, frame = taken.run.graph, taken.frame
    names, add = graph.names, message.edges.add
    pairs = zip(graph.caller[shown].tolist(), graph.callee[shown].tolist(), strict=True)
    edges = [add(caller=names[caller], callee=names[callee]) for caller, callee in pairs]
    _fill(edges, "call_rate_rps", frame.edge_call_rate_rps[0, shown])
    _fill(edges, "error_rate_percent", frame.edge_error_rate_percent[0, shown])
    _fill(edges, "latency_ms", frame.edge_latency_ms[0, shown])


def _add_predictions(
    services: Sequence[snapshot_pb2.ServiceMetrics],
    taken: Snapshot,
    forecast: Forecast,
    chosen: IntArray,
) -> None:
    probability = forecast.probability[chosen]
    horizon, version = times.duration(forecast.horizon_s), forecast.model_version
    columns = zip(
        services, probability.tolist(), forecast.cascade_risk[chosen].tolist(), strict=True
    )
    for service, likely, spreading in columns:
        prediction = service.prediction
        prediction.service = service.service
        prediction.incident_probability = likely
        prediction.risk_level = convert.RISK[risk_level(likely)]
        prediction.cascade_risk = spreading
        prediction.horizon.CopyFrom(horizon)
        prediction.model_version = version
    at_risk = np.flatnonzero(probability >= MEDIUM_FROM)
    ranked = at_risk[np.argsort(-probability[at_risk], kind="stable")].tolist()
    for rank, place in enumerate(ranked):
        types = forecast.types[chosen[place]]
        convert.add_type(services[place].prediction, types)
        if rank < MOST_ADVISED:
            convert.add_advice(services[place].prediction, taken, int(chosen[place]), types)
