"""Many protobuf messages at once, as columns of bytes: tens of thousands of them in a few ms.

A message is the bytes of its fields, one after the other, in any order. So each part that many
messages have in common becomes a column, with as many bytes per message as it happens to take, and
all of them are joined at the end. `tests/server/test_encoding.py` holds this against the messages
that anyone would make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from google.protobuf.descriptor import Descriptor
from numpy.typing import NDArray

from simulator.graph import FloatArray, IntArray

ENUM, DOUBLE, BYTES = 0, 1, 2
"""How the values of a field are written: wire types of protobuf."""


class Column(NamedTuple):
    """One part of N messages; `size` is how many bytes of each."""

    data: NDArray[np.object_]
    size: IntArray

    def of(self, rows: IntArray) -> Column:
        """Give the same of some of the messages."""
        return Column(self.data[rows], self.size[rows])


def tag(message: Descriptor, field: str, wire_type: int) -> int:
    """Give what is written before the values of one of the first 15 fields of a message."""
    number: int = message.fields_by_name[field].number
    assert number < 16, f"{field}: expected a tag of one byte"  # noqa: S101
    return number << 3 | wire_type


def varint(number: int) -> bytes:
    """Encode a length as protobuf does."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def column(parts: Iterable[bytes]) -> Column:
    """Make a column of parts that are given."""
    given = list(parts)
    data = np.empty(len(given), dtype=np.object_)
    data[:] = given
    return Column(data, np.array([len(part) for part in given], dtype=np.intp))


def records(rows: NDArray[np.void]) -> Column:
    """Make a column of records, each of which is written as it is."""
    data = np.empty(len(rows), dtype=np.object_)
    data[:] = rows.view(f"V{rows.itemsize}").tolist()
    return Column(data, np.full(len(rows), rows.itemsize))


def doubles(message: Descriptor, fields: tuple[str, ...], values: Sequence[FloatArray]) -> Column:
    """Encode fields of type double, (N,) values each; one that is not finite is left out."""
    kinds = np.zeros(len(values[0]), dtype=np.intp)
    for place, value in enumerate(values):
        kinds |= np.isfinite(value).astype(np.intp) << place
    data, size = np.empty(len(kinds), dtype=np.object_), np.empty(len(kinds), dtype=np.intp)
    for kind in np.unique(kinds).tolist():
        alike = np.flatnonzero(kinds == kind)
        seen = tuple(place for place in range(len(fields)) if kind >> place & 1)
        rows = np.repeat(_record(message, tuple(fields[place] for place in seen)), len(alike))
        for place in seen:
            rows[fields[place]] = values[place][alike]
        data[alike], size[alike] = records(rows) if seen else (b"", 0)
    return Column(data, size)


@lru_cache(maxsize=256)
def _record(message: Descriptor, fields: tuple[str, ...]) -> NDArray[np.void]:
    """Make a record (1,) of fields of type double, with their tags and without their values."""
    layout = [part for name in fields for part in ((f"tag of {name}", "u1"), (name, "<f8"))]
    record = np.zeros(1, dtype=layout)
    for name in fields:
        record[f"tag of {name}"] = tag(message, name, DOUBLE)
    return record


def nested(message: Descriptor, field: str, parts: Sequence[Column]) -> list[Column]:
    """Make messages of some parts the values of a field of other messages."""
    size = np.stack([part.size for part in parts]).sum(axis=0)
    before = bytes([tag(message, field, BYTES)])
    lengths, places = np.unique(size, return_inverse=True)
    starts = column(before + varint(length) for length in lengths.tolist())
    return [starts.of(places), *parts]


def joined(parts: Sequence[Column]) -> bytes:
    """Write all messages, one after the other."""
    together = np.empty((len(parts[0].size), len(parts)), dtype=np.object_)
    for place, part in enumerate(parts):
        together[:, place] = part.data
    return b"".join(together.ravel().tolist())
