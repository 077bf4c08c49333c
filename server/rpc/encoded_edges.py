"""The edges of a snapshot as bytes."""

from __future__ import annotations

from functools import lru_cache

from server.pipeline.snapshot import Snapshot
from server.rpc import columns
from server.rpc.columns import Column
from sre_edge.v1 import snapshot_pb2
from telemetry.graph import IntArray, ServiceGraph
from telemetry.metrics import EDGE_METRICS

VALUES = tuple(metric.name for metric in EDGE_METRICS)


def encoded(taken: Snapshot, shown: IntArray) -> bytes:
    """Encode the edges with these indices, as the field `edges` of a `Snapshot`."""
    values = [getattr(taken.frame, metric.field)[0, shown] for metric in EDGE_METRICS]
    parts = [
        _names(taken.graph).of(shown),
        columns.doubles(snapshot_pb2.EdgeMetrics.DESCRIPTOR, VALUES, values),
    ]
    return columns.joined(columns.nested(snapshot_pb2.Snapshot.DESCRIPTOR, "edges", parts))


@lru_cache(maxsize=2)
def _names(graph: ServiceGraph) -> Column:
    """Give who calls whom: written once for all snapshots of a run."""
    pairs = zip(graph.caller.tolist(), graph.callee.tolist(), strict=True)
    named = (
        snapshot_pb2.EdgeMetrics(caller=graph.names[caller], callee=graph.names[callee])
        for caller, callee in pairs
    )
    return columns.column(edge.SerializeToString() for edge in named)
