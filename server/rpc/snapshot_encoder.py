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
    snapshot
        Class of the messages: `Snapshot`, or one with more metrics.
    services, edges
        Metrics of each service and of each edge.
    max_plain
        Services and edges, together, up to which the message is a plain one.
    """

    def __init__(
        self,
        snapshot: type[Any] = snapshot_pb2.Snapshot,
        services: Sequence[Metric] = SERVICE_METRICS,
        edges: Sequence[Metric] = EDGE_METRICS,
        max_plain: int = MAX_PLAIN,
    ) -> None:
        self._snapshot, self._max_plain = snapshot, max_plain
        self._services, self._edges = services, edges

    def encode(
        self,
        taken: Snapshot,
        wanted: convert.Indices,
        *,
        edges: bool = True,
        predictions: bool = True,
    ) -> bytes:
        """Encode a snapshot of some services, and of the edges from and to them."""
        everyone = np.arange(taken.graph.services)
        chosen = everyone if wanted is None else everyone[list(wanted)]
        shown = touching(taken, wanted) if edges else everyone[:0]
        message = self._whole(taken)
        if len(chosen) + len(shown) <= self._max_plain:
            plain_snapshots.add_services(
                message, self._services, taken, chosen, predictions=predictions
            )
            plain_snapshots.add_edges(message, self._edges, taken, shown)
            return _response(message.SerializeToString())
        layout = self._snapshot.DESCRIPTOR
        return _response(
            message.SerializeToString(),
            columnar_services.encoded(
                layout, self._services, taken, chosen, predictions=predictions
            ),
            columnar_edges.encoded(layout, self._edges, taken, shown),
        )

    def _whole(self, taken: Snapshot) -> Any:
        """Say what holds for the system as a whole."""
        message = self._snapshot(
            cursor=convert.cursor(taken),
            time=times.timestamp(taken.time),
            interval_seconds=taken.frame.interval_s,
            produced_time=times.timestamp(taken.produced_time),
            active_faults=[faults.fault(fault) for fault in taken.faults],
            clock=convert.clock(taken.clock),
            kill_switch=taken.kill_switch,
            topology_sequence=taken.graph_since,
        )
        if taken.forecast is not None:
            message.system.CopyFrom(convert.system_prediction(taken, taken.forecast))
        return message


def touching(taken: Snapshot, wanted: convert.Indices) -> IntArray:
    """Find the edges from or to the services wanted; gives their indices."""
    graph = taken.graph
    if wanted is None:
        return np.arange(graph.edges)
    among = np.zeros(graph.services, dtype=np.bool_)
    among[list(wanted)] = True
    return np.flatnonzero(among[graph.caller] | among[graph.callee])


def _response(*parts: bytes) -> bytes:
    """Make the parts of a snapshot the one field of a response."""
    return b"".join((_TAG, varint(sum(map(len, parts))), *parts))


ENCODER = SnapshotEncoder()
"""Encodes snapshots of this version of the API."""
