"""Snapshots as bytes, without a message in between."""

from __future__ import annotations

import numpy as np

from server.pipeline.snapshot import Snapshot
from server.rpc import convert, encoded_edges, encoded_services, faults, times
from server.rpc.columns import BYTES, tag, varint
from sre_edge.v1 import simulation_service_pb2, snapshot_pb2
from telemetry.graph import IntArray

_TAG = tag(simulation_service_pb2.StreamMetricsResponse.DESCRIPTOR, "snapshot", BYTES)
assert tag(simulation_service_pb2.GetMetricsResponse.DESCRIPTOR, "snapshot", BYTES) == _TAG  # noqa: S101


def encoded(
    taken: Snapshot, wanted: convert.Indices, *, edges: bool = True, predictions: bool = True
) -> bytes:
    """Encode a snapshot as a message of the stream, which is an answer of `GetMetrics` as well."""
    everyone = np.arange(taken.graph.services)
    chosen = everyone if wanted is None else everyone[list(wanted)]
    whole = _whole(taken).SerializeToString()
    services = encoded_services.encoded(taken, chosen, predictions=predictions)
    shown = encoded_edges.encoded(taken, touching(taken, wanted)) if edges else b""
    size = varint(len(whole) + len(services) + len(shown))
    return b"%c%b%b%b%b" % (_TAG, size, whole, services, shown)


def touching(taken: Snapshot, wanted: convert.Indices) -> IntArray:
    """Find the edges from or to the services wanted; gives their indices."""
    graph = taken.graph
    if wanted is None:
        return np.arange(graph.edges)
    among = np.zeros(graph.services, dtype=np.bool_)
    among[list(wanted)] = True
    return np.flatnonzero(among[graph.caller] | among[graph.callee])


def _whole(taken: Snapshot) -> snapshot_pb2.Snapshot:
    """Say what holds for the system as a whole."""
    message = snapshot_pb2.Snapshot(
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
