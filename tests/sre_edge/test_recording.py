"""The writer of recordings: faults that are stopped, topologies that change, ages, and holes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sre_edge.recording.writer import RecordingWriter
from sre_edge.v1 import fault_pb2, snapshot_pb2
from telemetry.recordings.reading import read_recording

NOON = datetime(2026, 5, 1, 12, 0, 0, 123_457, tzinfo=UTC)
SYSTEM = "services: [{name: web, dependencies: [store]}, {name: store}]\n"
WIDER = "services: [{name: web, dependencies: [store]}, {name: store}, {name: mail}]\n"


def stamp(seconds: float) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(NOON + timedelta(seconds=seconds))
    return message


def snapshot(
    number: int, names: tuple[str, ...] = ("web", "store"), faults: tuple[str, ...] = ()
) -> snapshot_pb2.Snapshot:
    message = snapshot_pb2.Snapshot(time=stamp(2.0 * number), interval_seconds=2.0)
    message.cursor.sequence = number
    for place, name in enumerate(names):
        message.services.add(service=name, cpu_percent=10.0 / 3.0 + number + place)
    for identifier in faults:
        fault = message.active_faults.add(
            id=identifier, target="store", kind=fault_pb2.FAULT_KIND_CPU_SPIKE, intensity=0.5,
            share=1.0, start_time=stamp(4.0),
        )  # fmt: skip
        fault.duration.FromSeconds(100)
        fault.ramp.FromSeconds(3)
    return message


def test_numbers_times_and_holes_come_back_as_they_were(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "r", "me") as writer:
        writer.topology(SYSTEM, snapshot(0))
        for number in (0, 1, 1, 5):
            writer.add(snapshot(number))
        assert (writer.intervals, writer.past) == (3, 1)
    read = read_recording(tmp_path / "r")
    assert (read.start_time, read.frames, read.backfill, read.made_by) == (NOON, 6, 1, "me")
    assert read.frame(5).cpu_percent.tolist() == [[10.0 / 3.0 + 5, 10.0 / 3.0 + 6]]
    assert np.isnan(read.frame(3).cpu_percent).all()
    assert np.isnan(read.frame(0).latency_ms).all()


def test_a_fault_that_was_stopped_ended_then(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "r", "me") as writer:
        writer.topology(SYSTEM, snapshot(1))
        for number in range(1, 20):
            acting = ("a", "b") if 3 <= number < 8 else ("b",) if number >= 8 else ()
            writer.add(snapshot(number, faults=acting))
    stopped, acting = read_recording(tmp_path / "r").faults
    # The start of the recording is the second of the clock at which number 1 begins.
    assert (stopped.start_s, stopped.end_s) == (2.0, 16.0)
    assert (acting.start_s, acting.end_s) == (2.0, 102.0)
    assert (acting.kind, acting.intensity, acting.ramp_s) == ("cpu_spike", 0.5, 3.0)


def test_a_topology_that_changes_is_written_from_then_on(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "r", "me") as writer:
        writer.topology(SYSTEM, snapshot(1))
        writer.add(snapshot(1))
        later = snapshot(2, ("web", "store", "mail"))
        writer.topology(WIDER, later)
        writer.add(later)
    read = read_recording(tmp_path / "r")
    assert [read.graph(number).services for number in range(2)] == [2, 3]
    assert read.frame(1).cpu_percent.shape == (1, 3)


def test_a_directory_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(FileExistsError, match="new or an empty directory"):
        RecordingWriter(tmp_path, "me")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
