"""Writes a recording, interval by interval: what is written is complete whenever it ends."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from sre_edge.calls.chaos import kind_name
from sre_edge.recording.faults import FaultLog
from sre_edge.v1 import snapshot_pb2

VERSION = 1
TIME = "t_s"
SERVICES, EDGES = "services", "edges"


def metric_names(message: Descriptor) -> list[str]:
    """List the metrics that a message has: its optional doubles."""
    return [
        field.name
        for field in message.fields
        if field.type == FieldDescriptor.TYPE_DOUBLE and field.has_presence
    ]


class RecordingWriter:
    """Writes the snapshots of one run to a directory, which must be new or empty.

    Parameters
    ----------
    directory
        Where to write; it is created.
    made_by
        What makes the recording, for people.

    Attributes
    ----------
    intervals, past
        Number of intervals that were written, and of those of them that are the past.
    faults
        Faults that were seen.

    Raises
    ------
    OSError
        If it cannot be written there.
    """

    def __init__(self, directory: Path, made_by: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise FileExistsError(17, "expected a new or an empty directory", str(directory))
        self.intervals = self.past = 0
        self._directory, self._made_by = directory, made_by
        self.faults = FaultLog()
        self._topologies: list[dict[str, Any]] = []
        self._start: datetime | None = None
        self._latest = -1
        self._services = _Table(directory / f"{SERVICES}.csv", ("service",),
                                snapshot_pb2.ServiceMetrics.DESCRIPTOR)  # fmt: skip
        self._edges = _Table(directory / f"{EDGES}.csv", ("caller", "callee"),
                             snapshot_pb2.EdgeMetrics.DESCRIPTOR)  # fmt: skip

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def topology(self, document: str, snapshot: snapshot_pb2.Snapshot) -> None:
        """Write the topology that holds from a snapshot on."""
        if self._start is None:
            _write(self._directory / "system.yaml", document)
            return
        file = f"system-{len(self._topologies) + 2}.yaml"
        _write(self._directory / file, document)
        self._topologies.append({TIME: self._seconds(snapshot), "file": file})
        self._write_events()

    def add(self, snapshot: snapshot_pb2.Snapshot) -> None:
        """Write a snapshot; one that was written already is left out."""
        if self._start is None:
            self._start = snapshot.time.ToDatetime(tzinfo=UTC)
            self._interval_s = snapshot.interval_seconds
        number = self._number(snapshot)
        if number <= self._latest:
            return
        self._latest = number
        seconds = self._seconds(snapshot)
        self._services.write(seconds, snapshot.services)
        self._edges.write(seconds, snapshot.edges)
        self.intervals += 1
        self.past += not snapshot.cursor.sequence
        if self.intervals == 1 or not snapshot.cursor.sequence:
            self._write_meta()
        if self.faults.take(snapshot, seconds, self._start):
            self._write_events()

    def close(self) -> None:
        """Close the files; what was written is a recording."""
        self._services.close()
        self._edges.close()
        if self._start is not None:
            self._write_events()

    def _number(self, snapshot: snapshot_pb2.Snapshot) -> int:
        assert self._start is not None  # noqa: S101 - of the first snapshot
        passed = snapshot.time.ToDatetime(tzinfo=UTC) - self._start
        return round(passed.total_seconds() / self._interval_s)

    def _seconds(self, snapshot: snapshot_pb2.Snapshot) -> float:
        return self._number(snapshot) * self._interval_s

    def _write_meta(self) -> None:
        assert self._start is not None  # noqa: S101 - of the first snapshot
        stated = {
            "version": VERSION,
            "interval_s": self._interval_s,
            "start_time": self._start.isoformat(timespec="microseconds"),
            "made_by": self._made_by,
            "backfill_s": self.past * self._interval_s,
        }
        _write(self._directory / "meta.yaml", _lines(stated))

    def _write_events(self) -> None:
        faults = [
            {
                "target": one.target,
                "kind": kind_name(one.kind),
                "start_s": one.start_s,
                "end_s": one.end_s,
                "intensity": one.intensity,
                "ramp_s": one.ramp_s,
                "share": one.share,
            }
            for one in self.faults
        ]
        stated = {"faults": faults, "topologies": self._topologies}
        _write(self._directory / "events.yaml", _lines(stated))


class _Table:
    """A table as CSV; numbers are written so that they are read as the same numbers."""

    def __init__(self, path: Path, keys: tuple[str, ...], message: Descriptor) -> None:
        self._path, self._keys, self._metrics = path, keys, metric_names(message)
        # Ages are of all values of a kind, and written beside one of them.
        self._ages = [name for name in _AGES if name in message.fields_by_name]
        self._file: TextIO | None = None

    def write(self, seconds: float, messages: Any) -> None:
        """Write a row for each message; the rows of an interval are flushed together."""
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            self._rows = csv.writer(self._file)
            columns = [f"{_AGES[name]}_age_s" for name in self._ages]
            self._rows.writerow((TIME, *self._keys, *self._metrics, *columns))
        self._rows.writerows(self._row(seconds, message) for message in messages)
        self._file.flush()

    def _row(self, seconds: float, message: Any) -> Iterator[object]:
        yield seconds
        for key in self._keys:
            yield getattr(message, key)
        for name in self._metrics:
            yield _cell(getattr(message, name) if message.HasField(name) else math.nan)
        for name in self._ages:
            yield _cell(getattr(message, name))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


_AGES: Mapping[str, str] = {
    "requests_age_seconds": "request_count",
    "resources_age_seconds": "cpu_percent",
    "age_seconds": "call_rate_rps",
}
"""Ages of a message, and the metric that each is written beside."""


def _cell(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def _lines(stated: dict[str, Any]) -> str:
    """Write a mapping as YAML: a line for each value, and for each item of a list."""
    lines = []
    for key, value in stated.items():
        if isinstance(value, list):
            lines.append(f"{key}:" if value else f"{key}: []")
            lines += [f"- {json.dumps(item)}" for item in value]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
