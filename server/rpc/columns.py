"""Many protobuf messages at once, as columns of bytes: tens of thousands of them in a few ms.

A message is the bytes of its fields, one after the other, in any order. So each part that many
messages have in common becomes a column, with as many bytes per message as it happens to take, and
all of them are joined at the end. `tests/server/test_encoding.py` holds this against the messages
that anyone would make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from google.protobuf.descriptor import Descriptor
from numpy.typing import NDArray

from telemetry.graph import FloatArray, IntArray

ENUM, DOUBLE, BYTES = 0, 1, 2
"""How the values of a field are written: wire types of protobuf."""


class Column(NamedTuple):
    """One part of N messages: of each, `size` bytes of `data` from `start` on."""

    data: NDArray[np.uint8]
    start: IntArray
    size: IntArray

    def of(self, rows: IntArray) -> Column:
        """Give the same of some of the messages."""
        return Column(self.data, self.start[rows], self.size[rows])

    def among(self, rows: IntArray, messages: int) -> Column:
        """Make this the part of some of so many messages; the others have none."""
        start, size = np.zeros(messages, dtype=np.intp), np.zeros(messages, dtype=np.intp)
        start[rows], size[rows] = self.start, self.size
        return Column(self.data, start, size)


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
    size = np.array([len(part) for part in given], dtype=np.intp)
    return Column(np.frombuffer(b"".join(given), dtype=np.uint8), size.cumsum() - size, size)


def records(rows: NDArray[np.void]) -> Column:
    """Make a column of records, each of which is written as it is."""
    size = rows.itemsize
    start = np.arange(0, len(rows) * size, size, dtype=np.intp)
    return Column(rows.view(np.uint8), start, np.full(len(rows), size, dtype=np.intp))


def doubles(message: Descriptor, fields: tuple[str, ...], values: Sequence[FloatArray]) -> Column:
    """Encode fields of type double, (N,) values each; one that is not finite is left out."""
    kinds = np.zeros(len(values[0]), dtype=np.intp)
    for place, value in enumerate(values):
        kinds |= np.isfinite(value).astype(np.intp) << place
    start, size = np.zeros((2, len(kinds)), dtype=np.intp)
    written, length = [np.empty(0, dtype=np.uint8)], 0
    for kind, alike in _alike(kinds):
        seen = [place for place in range(len(fields)) if kind >> place & 1]
        if not seen:
            continue
        one = _record(message, tuple(fields[place] for place in seen))
        rows = np.repeat(one, len(kinds[alike]))
        for place in seen:
            rows[fields[place]] = values[place][alike]
        part = records(rows)
        start[alike], size[alike] = part.start + length, part.size
        written.append(part.data)
        length += len(part.data)
    return Column(np.concatenate(written), start, size)


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
    size = _sizes(parts)
    before = bytes([tag(message, field, BYTES)])
    found = np.bincount(size)
    lengths = found.nonzero()[0]
    found[lengths] = np.arange(len(lengths))
    starts = column(before + varint(length) for length in lengths.tolist())
    return [starts.of(found[size]), *parts]


def joined(parts: Sequence[Column]) -> bytes:
    """Write all messages, one after the other."""
    size = _sizes(parts)
    end = size.cumsum()
    place = end - size
    written = np.empty(int(size.sum()), dtype=np.uint8)
    for part in parts:
        for length, alike in _alike(part.size):
            if length:
                there = _windows(part.data, length)[part.start[alike]]
                _windows(written, length)[place[alike]] = there
        place += part.size
    return written.tobytes()


def _sizes(parts: Sequence[Column]) -> IntArray:
    size = parts[0].size.copy()
    for part in parts[1:]:
        size += part.size
    return size


def _alike(kinds: IntArray) -> Iterator[tuple[int, IntArray | slice]]:
    """Give each of a few kinds, with the places where it is."""
    found = np.bincount(kinds).nonzero()[0].tolist()
    for kind in found:
        yield kind, slice(None) if len(found) == 1 else (kinds == kind).nonzero()[0]


def _windows(data: NDArray[np.uint8], size: int) -> NDArray[np.void]:
    """View bytes as pieces of so many of them; one begins at each byte."""
    return np.ndarray((len(data) - size + 1,), f"V{size}", data, 0, (1,))
