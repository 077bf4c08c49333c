"""Snapshots as bytes: plain messages of small systems, columns of large ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from server.pipeline.snapshot import Snapshot
from server.rpc import columnar_edges, columnar_services, convert, faults, plain_snapshots, times
from server.rpc.columns import BYTES, tag, varint
from sre_edge.v1 import simulation_service_pb2, snapshot_pb2
from telemetry.graph import IntArray
from telemetry.metrics import EDGE_METRICS, SERVICE_METRICS, Metric

MAX_PLAIN = 60
"""Services and edges up to which a plain message takes less time than columns.

`python -m benchmarks.encoding` measures it: 0.53 of the time of columns for 23 services and edges,
0.94 for 59, 1.8 for 180; both take the same at about 66.
"""

_TAG = tag(simulation_service_pb2.StreamMetricsResponse.DESCRIPTOR, "snapshot", BYTES)
assert tag(simulation_service_pb2.GetMetricsResponse.DESCRIPTOR, "snapshot", BYTES) == _TAG  # noqa: S101


class SnapshotEncoder:
    """Encodes snapshots as messages of the stream, which are answers of `GetMetrics` as well.

    Both ways give the same message: a plain one is made field by field, columns are bytes written
    for all services at once.

    Parameters
    ----------
    message_type
        Class of the messages: `Snapshot`, or one with more metrics.
    services, edges
        Metrics of each service and of each edge.
    max_plain
        Services and edges, together, up to which the message is a plain one.
    """

    def __init__(
        self,
        message_type: type[Any] = snapshot_pb2.Snapshot,
        services: Sequence[Metric] = SERVICE_METRICS,
        edges: Sequence[Metric] = EDGE_METRICS,
        max_plain: int = MAX_PLAIN,
    ) -> None:
        self._message_type, self._max_plain = message_type, max_plain
        self._services, self._edges = services, edges

    def encode(
        self,
        snapshot: Snapshot,
        indices: convert.Indices,
        *,
        edges: bool = True,
        predictions: bool = True,
    ) -> bytes:
        """Encode a snapshot of some services, and of the edges from and to them."""
        all_services = np.arange(snapshot.graph.services)
        chosen = all_services if indices is None else all_services[list(indices)]
        shown = touching(snapshot, indices) if edges else all_services[:0]
        message = self._whole(snapshot)
        if len(chosen) + len(shown) <= self._max_plain:
            plain_snapshots.add_services(
                message, self._services, snapshot, chosen, predictions=predictions
            )
            plain_snapshots.add_edges(message, self._edges, snapshot, shown)
            return _response(message.SerializeToString())
        layout = self._message_type.DESCRIPTOR
        return _response(
            message.SerializeToString(),
            columnar_services.encoded(
                layout, self._services, snapshot, chosen, predictions=predictions
            ),
            columnar_edges.encoded(layout, self._edges, snapshot, shown),
        )

    def _whole(self, snapshot: Snapshot) -> Any:
        """Make the part of the message about the system as a whole."""
        message = self._message_type(
            cursor=convert.cursor(snapshot),
            time=times.timestamp(snapshot.time),
            interval_seconds=snapshot.frame.interval_s,
            produced_time=times.timestamp(snapshot.produced_time),
            active_faults=[faults.fault(fault) for fault in snapshot.faults],
            clock=convert.clock(snapshot.clock),
            kill_switch=snapshot.kill_switch,
            topology_sequence=snapshot.graph_since,
            system_id=snapshot.run.system,
        )
        if snapshot.forecast is not None:
            message.system.CopyFrom(convert.system_prediction(snapshot, snapshot.forecast))
        return message


def touching(snapshot: Snapshot, indices: convert.Indices) -> IntArray:
    """Find the edges from or to some services; return their indices."""
    graph = snapshot.graph
    if indices is None:
        return np.arange(graph.edges)
    among = np.zeros(graph.services, dtype=np.bool_)
    among[list(indices)] = True
    return np.flatnonzero(among[graph.caller] | among[graph.callee])


def _response(*parts: bytes) -> bytes:
    """Wrap the parts of a snapshot in a response."""
    return b"".join((_TAG, varint(sum(map(len, parts))), *parts))


ENCODER = SnapshotEncoder()
"""Encodes snapshots of this version of the API."""
