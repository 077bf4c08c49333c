"""The edges of a snapshot as columns of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from google.protobuf.descriptor import Descriptor

from server.pipeline.snapshot import Snapshot
from server.rpc import ages, columns
from server.rpc.columns import Column
from telemetry.graph import IntArray, ServiceGraph
from telemetry.metrics import Metric


def encoded(
    layout: Descriptor, metrics: Sequence[Metric], snapshot: Snapshot, shown: IntArray
) -> bytes:
    """Encode the edges with these indices, as the field `edges` of a snapshot."""
    edge = columns.messages_of(layout, "edges")
    values = [getattr(snapshot.frame, metric.field)[0, shown] for metric in metrics]
    parts = [
        *(names.of(shown) for names in _names(edge, snapshot.graph)),
        columns.doubles(edge, [metric.name for metric in metrics], values),
        *columns.without_zeros(edge, ages.of_edges(snapshot.frame, shown)),
    ]
    return columns.joined(columns.nested(layout, "edges", parts))


@lru_cache(maxsize=2)
def _names(edge: Descriptor, graph: ServiceGraph) -> tuple[Column, Column]:
    """Encode callers and callees: once for all snapshots of a run."""
    callers, callees = (
        columns.strings(edge, field, (graph.names[end] for end in ends.tolist()))
        for field, ends in (("caller", graph.caller), ("callee", graph.callee))
    )
    return callers, callees
