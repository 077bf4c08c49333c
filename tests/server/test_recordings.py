"""Recordings through real programs: the command records them, servers play them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre_edge import Client, InvalidRequest, Refused
from sre_edge.v1 import clock_pb2, snapshot_pb2, system_pb2
from telemetry.recordings.reading import read_recording
from tests.processes import Program, sre_edge, wait_until
from tests.telemetry.recordings import files

SERVER = ("-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
ENDED = system_pb2.SYSTEM_STATE_ENDED


@pytest.fixture(scope="module")
def live() -> Iterator[str]:
    """A server that is simulated fast, and is watched by the tests of this module."""
    program = Program(*SERVER, "--speed", "50")
    yield program.expect(r"grpc://(\S+)")[1]
    assert program.stop() == 0


@pytest.fixture(scope="module")
def recorded(live: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("recordings") / "day"
    with Client(live) as client:
        client.reset(5)  # so that what is recorded begins with a run
        client.inject("database", "cpu_spike", duration_s=60)
        done = sre_edge(live, "record", str(directory), "--for", "200s")
        assert done.returncode == 0, done.stderr
        assert "1 faults" in done.stdout
        assert f"python -m server --recording {directory}" in done.stdout
    return directory


def recorder(target: str, *arguments: str) -> Program:
    command = "from sre_edge.cli import main; main()"
    return Program("-c", command, "record", *arguments, SRE_EDGE_TARGET=target)


def played(*arguments: str) -> Program:
    return Program(*SERVER, *arguments)


def shown(address: str, count: int) -> list[snapshot_pb2.Snapshot]:
    """The first snapshots of the run."""
    with Client(address) as client, client.watch(with_past=True) as stream:
        found = []
        for event in stream:
            if isinstance(event, snapshot_pb2.Snapshot) and event.cursor.sequence:
                found.append(event)
            if len(found) == count:
                return found
    raise AssertionError("the stream ended")


def test_a_server_plays_what_the_command_recorded(recorded: Path, live: str) -> None:
    assert sorted(path.name for path in recorded.iterdir()) == [
        "edges.parquet", "events.yaml", "meta.yaml", "services.parquet", "system.yaml",
    ]  # fmt: skip
    before = shown(live, 100)
    program = played("--recording", str(recorded), "--speed", "100")
    address = program.expect(r"grpc://(\S+)")[1]
    try:
        after = shown(address, 100)
    finally:
        assert program.stop() == 0
    for one, other in zip(before, after, strict=True):
        assert one.cursor.sequence == other.cursor.sequence
        for name in ("services", "edges", "time", "interval_seconds", "system"):
            assert getattr(one, name) == getattr(other, name), name
    read = read_recording(recorded)
    assert read.backfill == 59
    assert [fault.kind for fault in read.faults] == ["cpu_spike"]


def test_it_is_paused_sought_and_played_to_its_end(recorded: Path) -> None:
    program = played("--recording", str(recorded), "--speed", "0.5")
    address = program.expect(r"grpc://(\S+)")[1]
    try:
        with Client(address) as client, client.watch() as stream:
            system = client.system()
            assert system.source == system_pb2.SOURCE_KIND_RECORDING
            able = system.capabilities
            assert (able.faults, able.labels, able.clock, able.reset, able.seek) == (
                False, False, True, True, True,
            )  # fmt: skip
            with pytest.raises(Refused) as refused:
                client.inject("database", "cpu_spike", duration_s=10)
            assert refused.value.reason == "NOT_SUPPORTED_BY_SOURCE"
            with pytest.raises(Refused) as refused:
                client.reset(topology="boutique")
            assert refused.value.reason == "NOT_SUPPORTED_BY_SOURCE"
            with pytest.raises(InvalidRequest, match="expected a time of the recording"):
                client.set_clock(time=datetime(2000, 1, 1, tzinfo=UTC))
            with pytest.raises(InvalidRequest, match="speed"):  # all of a change, or none
                client.set_clock(time=datetime.now(UTC), speed=1e9)
            assert client.metrics().cursor.run_id == system.cursor.run_id

            start = client.metrics().time.ToDatetime(tzinfo=UTC)
            done = sre_edge(
                address, "clock", "--pause", "--seek", f"{start + timedelta(seconds=101):%FT%T}"
            )
            assert (done.returncode, "paused" in done.stdout) == (0, True), done.stderr
            sought = client.metrics()
            assert sought.cursor.sequence == 1
            assert sought.time.ToDatetime(tzinfo=UTC) == start + timedelta(seconds=100)
            assert sought.services[0].HasField("prediction")  # what is normal is known already
            assert client.set_clock(paused=False, speed=100).speed == 100

            ended = wait_until(lambda: found if (found := client.system()).state == ENDED else None)
            assert "the recording ended at" in ended.problem
            assert ended.clock.paused
            assert any(
                isinstance(event, clock_pb2.Clock) and event.paused
                for event in (next(stream) for _ in range(500))
            )
            with pytest.raises(Refused, match="the recording ended"):
                client.set_clock(paused=False)
            client.reset()
            assert not client.system().clock.paused
            assert client.metrics().time.ToDatetime(tzinfo=UTC) <= ended_time(recorded)
    finally:
        assert program.stop() == 0


def ended_time(recorded: Path) -> datetime:
    return read_recording(recorded).end_time


def test_a_systems_file_and_a_call_name_recordings(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "systems.yaml").write_text(
        f"systems:\n- id: live\n  default: true\n  source: {{kind: simulation}}\n"
        f"- id: day\n  source: {{kind: recording, path: {recorded}, speed: 10}}\n"
        "- id: gone\n  source: {kind: recording, path: nowhere}\n"
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    files.recording(folder / "by-hand")
    (folder / ".hidden").mkdir()
    (folder / "tiny.yaml").write_text(files.SYSTEM)
    settings = (
        "--systems", str(tmp_path / "systems.yaml"), "--data", str(tmp_path / "data"),
        "--recordings", str(folder), "--topologies", str(folder),
    )  # fmt: skip
    program = played(*settings)
    address = program.expect(r"grpc://(\S+)")[1]
    try:
        with Client(address) as client:
            states = {one.id: one for one in client.systems()}
            assert states["day"].state == system_pb2.SYSTEM_STATE_LIVE
            assert states["day"].services == 4
            assert states["gone"].state == system_pb2.SYSTEM_STATE_FAILED
            assert "expected the directory of a recording" in states["gone"].problem
            added = client.add_system("{id: hand, source: {kind: recording, path: by-hand}}")
            assert added.source == system_pb2.SOURCE_KIND_RECORDING
            client.add_system("{id: tiny, source: {kind: simulation, topology: tiny}}")
            with pytest.raises(InvalidRequest, match="wide-fan-out, tiny"):
                client.add_system("{id: no-1, source: {kind: simulation, topology: ../tiny}}")
            for name in ("../folder/by-hand", str(folder / "by-hand"), ".hidden", "", "/", ".."):
                with pytest.raises(InvalidRequest) as refused:
                    client.add_system(f"{{id: other, source: {{kind: recording, path: '{name}'}}}}")
                assert [one.field for one in refused.value.violations] == ["entry.source.path"]
    finally:
        assert program.stop() == 0
    program = played(*settings)
    address = program.expect(r"grpc://(\S+)")[1]
    try:
        with Client(address) as client:
            assert {one.id for one in client.systems()} == {"live", "day", "gone", "hand", "tiny"}
    finally:
        assert program.stop() == 0


def test_what_cannot_be_played_is_said_at_the_start(tmp_path: Path) -> None:
    directory = files.recording(tmp_path / "shop", [*files.ROWS, "6,store,1,1"])
    for arguments, said in (
        (("--recording", str(directory)), "row 9, t_s: expected one row of an interval"),
        (("--recording", str(tmp_path / "no")), "expected the directory of a recording"),
        (("--recording", str(directory), "--systems", "x"), "not both"),
    ):
        done = subprocess.run(
            [sys.executable, *SERVER, *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_recorder_that_is_killed_leaves_a_recording(live: str, tmp_path: Path) -> None:
    directory = tmp_path / "cut"
    program = recorder(live, str(directory))
    wait_until(lambda: (directory / "services.csv").exists() and len(rows(directory)) > 500)
    program.stop(signal.SIGKILL)
    text = rows(directory)
    read = read_recording(directory)
    assert read.frames >= len(text) // 4 - 1


def rows(directory: Path) -> list[str]:
    return (directory / "services.csv").read_text().splitlines()


def test_a_recording_ends_with_its_run_and_in_order_by_signals(live: str, tmp_path: Path) -> None:
    ended = recorder(live, str(tmp_path / "a"))
    stopped = recorder(live, str(tmp_path / "b"), "--from-now", "--csv", "--json")
    wait_until(lambda: all((tmp_path / name / "services.csv").exists() for name in "ab"))
    assert stopped.stop() == 0
    with Client(live) as client:
        client.reset()
    assert ended.process.wait(30) == 1
    ended.stop()
    assert (tmp_path / "a" / "services.parquet").exists()
    read_recording(tmp_path / "a")
    assert (tmp_path / "b" / "services.csv").exists()
    assert read_recording(tmp_path / "b").backfill == 0


def test_wrong_uses_are_refused(live: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    for arguments, said in (
        ((str(tmp_path / "full"), "--for", "10s"), "expected a new or an empty directory"),
        ((str(tmp_path / "file"), "--for", "10s"), "file"),
        ((str(tmp_path / "new"), "--for", "soon"), "expected a duration"),
    ):
        done = sre_edge(live, "record", *arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    done = sre_edge(live, "record", str(tmp_path / "json"), "--for", "10s", "--json")
    said = json.loads(done.stdout)
    assert (said["ended_early"], said["intervals"] > 5) == (False, True)


def test_a_recorder_of_a_paused_system_says_what_it_waits_for(live: str, tmp_path: Path) -> None:
    with Client(live) as client:
        client.set_clock(paused=True)
        program = recorder(live, str(tmp_path / "paused"), "--for", "10s", "--from-now")
        try:
            program.expect("the clock is paused, nothing new is recorded until it goes on")
        finally:
            client.set_clock(paused=False)
    assert program.process.wait(30) == 0
    program.stop()
    assert read_recording(tmp_path / "paused").frames >= 5
