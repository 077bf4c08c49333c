"""Many protobuf messages at once, as columns of bytes: tens of thousands of them in a few ms.

A message is the bytes of its fields, one after the other, in any order. So each part that many
messages have in common becomes a column, with as many bytes per message as it happens to take, and
all of them are joined at the end. `tests/server/test_encoding.py` holds this against the messages
that anyone would make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from google.protobuf.descriptor import Descriptor
from numpy.typing import NDArray

from telemetry.graph import FloatArray, IntArray

ENUM, DOUBLE, BYTES = 0, 1, 2
"""Wire types of protobuf."""

_VALUES = {ENUM: "u1", DOUBLE: "<f8"}
"""Types of values in a record; the numbers of an enum are below 128."""


class Column(NamedTuple):
    """One part of N messages: of each, `size` bytes of `data` from `start` on."""

    data: NDArray[np.uint8]
    start: IntArray
    size: IntArray

    def of(self, rows: IntArray) -> Column:
        """Select some of the messages."""
        return Column(self.data, self.start[rows], self.size[rows])

    def among(self, rows: IntArray, messages: int) -> Column:
        """Spread the column over `messages` messages: `rows` have this part, the others none."""
        start, size = np.zeros(messages, dtype=np.intp), np.zeros(messages, dtype=np.intp)
        start[rows], size[rows] = self.start, self.size
        return Column(self.data, start, size)


def messages_of(message: Descriptor, field: str) -> Descriptor:
    """Find the message type of a field."""
    found = message.fields_by_name[field].message_type
    assert found is not None, f"{field}: expected messages"  # noqa: S101
    return found


def tag(message: Descriptor, field: str, wire_type: int) -> bytes:
    """Encode the tag that precedes a value of a field."""
    return varint(message.fields_by_name[field].number << 3 | wire_type)


def varint(number: int) -> bytes:
    """Encode a whole number of at least 0 as protobuf does."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def column(parts: Iterable[bytes]) -> Column:
    """Make a column of the encoded parts."""
    encoded = list(parts)
    size = np.array([len(part) for part in encoded], dtype=np.intp)
    return Column(np.frombuffer(b"".join(encoded), dtype=np.uint8), size.cumsum() - size, size)


def strings(message: Descriptor, field: str, values: Iterable[str]) -> Column:
    """Encode a field of type string, N values."""
    before = tag(message, field, BYTES)
    encoded = (value.encode() for value in values)
    return column(before + varint(len(value)) + value for value in encoded)


def template(message: Descriptor, fields: Mapping[str, int], same: bytes = b"") -> NDArray[np.void]:
    """Make a record (1,) of fields with their wire types: tags, zeros as values, and some bytes.

    The values are set by the names of the fields.
    """
    tags = {field: tag(message, field, wire_type) for field, wire_type in fields.items()}
    layout: list[tuple[str, str]] = []
    for field, wire_type in fields.items():
        layout += [(f"tag of {field}", f"V{len(tags[field])}"), (field, _VALUES[wire_type])]
    if same:
        layout.append(("same", f"V{len(same)}"))
    record = np.zeros(1, dtype=layout)
    for field, written in tags.items():
        record[f"tag of {field}"] = np.void(written)
    if same:
        record["same"] = np.void(same)
    return record


def records(rows: NDArray[np.void]) -> Column:
    """Make a column of records, each of which is written as it is."""
    size = rows.itemsize
    start = np.arange(0, len(rows) * size, size, dtype=np.intp)
    return Column(rows.view(np.uint8), start, np.full(len(rows), size, dtype=np.intp))


def doubles(message: Descriptor, fields: Sequence[str], values: Sequence[FloatArray]) -> Column:
    """Encode fields of type double, (N,) values each."""
    rows = np.repeat(_doubles(message, tuple(fields)), len(values[0]))
    for field, given in zip(fields, values, strict=True):
        rows[field] = given
    return records(rows)


def without_zeros(message: Descriptor, fields: Mapping[str, FloatArray]) -> Iterator[Column]:
    """Encode fields of type double, (N,) values each, of which zeros are not written."""
    for field, values in fields.items():
        (rows,) = values.nonzero()
        yield doubles(message, [field], [values[rows]]).among(rows, len(values))


@lru_cache(maxsize=64)
def _doubles(message: Descriptor, fields: tuple[str, ...]) -> NDArray[np.void]:
    return template(message, dict.fromkeys(fields, DOUBLE))


def nested(message: Descriptor, field: str, parts: Sequence[Column]) -> list[Column]:
    """Make messages of some parts the values of a field of other messages."""
    size = _sizes(parts)
    before = tag(message, field, BYTES)
    found = np.bincount(size)
    lengths = found.nonzero()[0]
    found[lengths] = np.arange(len(lengths))
    starts = column(before + varint(length) for length in lengths.tolist())
    return [starts.of(found[size]), *parts]


def joined(parts: Sequence[Column]) -> bytes:
    """Write all messages, one after the other."""
    size = _sizes(parts)
    end = size.cumsum()
    offset = end - size
    written = np.empty(int(size.sum()), dtype=np.uint8)
    for part in parts:
        for length, rows in _by_size(part.size):
            if length:
                there = _windows(part.data, length)[part.start[rows]]
                _windows(written, length)[offset[rows]] = there
        offset += part.size
    return written.tobytes()


def _sizes(parts: Sequence[Column]) -> IntArray:
    size = parts[0].size.copy()
    for part in parts[1:]:
        size += part.size
    return size


def _by_size(sizes: IntArray) -> Iterator[tuple[int, IntArray | slice]]:
    """Yield each distinct size, with the rows that have it."""
    found = np.bincount(sizes).nonzero()[0].tolist()
    for size in found:
        yield size, slice(None) if len(found) == 1 else (sizes == size).nonzero()[0]


def _windows(data: NDArray[np.uint8], size: int) -> NDArray[np.void]:
    """View bytes as overlapping pieces of `size` bytes; one begins at each byte."""
    return np.ndarray((len(data) - size + 1,), f"V{size}", data, 0, (1,))
