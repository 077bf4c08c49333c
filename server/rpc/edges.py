"""The edges of a snapshot as bytes, a hundred thousand of them in a few dozen ms.

Bytes of protobuf messages that follow each other are one message: repeated fields go on. So what
never changes of an edge, its names, is written once per run, and its values come as columns.
`tests/server/test_encoding.py` holds this against the messages that anyone would make.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from server.snapshot import Snapshot
from simulator.graph import IntArray, ServiceGraph
from sre_edge.v1 import snapshot_pb2

VALUES = ("call_rate_rps", "error_rate_percent", "latency_ms")

_FIELDS = snapshot_pb2.EdgeMetrics.DESCRIPTOR.fields_by_name
_LENGTH_DELIMITED, _FIXED_64 = 2, 1
_TAG = bytes([snapshot_pb2.Snapshot.EDGES_FIELD_NUMBER << 3 | _LENGTH_DELIMITED])
_VALUE_TAGS = tuple(_FIELDS[name].number << 3 | _FIXED_64 for name in VALUES)
_VALUE_BYTES = 9


def encoded(taken: Snapshot, shown: IntArray) -> bytes:
    """Encode the edges with these indices, as the field `edges` of a `Snapshot`."""
    columns = [getattr(taken.frame, f"edge_{name}")[0, shown] for name in VALUES]
    seen = np.isfinite(np.stack(columns, axis=1))
    kinds = seen @ np.array([1, 2, 4])
    parts: list[bytes] = [b""] * len(shown)
    for kind in np.unique(kinds).tolist():
        alike = np.flatnonzero(kinds == kind)
        present = [i for i in range(len(VALUES)) if kind >> i & 1]
        width = _VALUE_BYTES * len(present)
        block = np.empty((len(alike), len(present), _VALUE_BYTES), dtype=np.uint8)
        for place, i in enumerate(present):
            block[:, place, 0] = _VALUE_TAGS[i]
            block[:, place, 1:] = _bytes(columns[i][alike])
        values, heads = block.tobytes(), _heads(taken.run.graph, width)
        pairs = zip(alike.tolist(), shown[alike].tolist(), strict=True)
        for row, (place, edge) in enumerate(pairs):
            parts[place] = heads[edge] + values[row * width : (row + 1) * width]
    return b"".join(parts)


def varint(number: int) -> bytes:
    """Encode a length as protobuf does."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


@lru_cache(maxsize=8)
def _heads(graph: ServiceGraph, width: int) -> list[bytes]:
    """Give what comes before the values of each edge, which take `width` bytes."""
    heads = []
    for caller, callee in zip(graph.caller.tolist(), graph.callee.tolist(), strict=True):
        names = snapshot_pb2.EdgeMetrics(caller=graph.names[caller], callee=graph.names[callee])
        data = names.SerializeToString()
        heads.append(_TAG + varint(len(data) + width) + data)
    return heads


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(N, 8) bytes of each value, the lowest first."""
    return values.astype("<f8").view(np.uint8).reshape(-1, 8)
