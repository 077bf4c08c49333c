"""The server as a program with a systems file: SIGHUP, the commands, and what cannot be used."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sre_edge import Client, InvalidRequest
from sre_edge.v1 import snapshot_pb2, system_pb2
from tests.processes import Program, sre_edge, wait_until

TWO = """
systems:
  - id: stays
    source: {kind: simulation, speed: 20}
    default: true
  - id: goes
    source: {kind: simulation, speed: 20}
"""
SERVER = ("-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "systems.yaml"
    path.write_text(TWO)
    return path


@pytest.fixture
def server(path: Path) -> Iterator[Program]:
    program = Program(*SERVER, "--systems", str(path))
    yield program
    assert program.stop() == 0


def live(client: Client) -> dict[str, system_pb2.System]:
    found = {one.id: one for one in client.systems()}
    states = {one.state for one in found.values()}
    return found if states == {system_pb2.SYSTEM_STATE_LIVE} else {}


def test_sighup_reads_the_file_again_and_what_is_unchanged_goes_on(
    server: Program, path: Path
) -> None:
    address = server.expect(r"grpc://(\S+)")[1]

    def hup(text: str, said: str) -> None:
        path.write_text(text)
        os.kill(server.process.pid, signal.SIGHUP)
        server.expect(said)

    with Client(address) as client, client.watch() as stream:
        before = live(client)
        assert list(before) == ["stays", "goes"]
        changed = TWO.replace("id: goes", "id: comes")
        hup(changed, "the systems file was read again: 2 systems")
        after = wait_until(lambda: live(client))
        assert list(after) == ["stays", "comes"]
        assert after["stays"].cursor.run_id == before["stays"].cursor.run_id

        hup("systems: [", "nothing has changed: .*systems.yaml: ")
        hup(changed + "  - id: comes\n    source: {kind: simulation}\n", "expected a unique id")
        client.add_system("id: called\nsource: {kind: simulation}")
        hup(changed.replace("comes", "called"), "added by calls: called")
        assert list(wait_until(lambda: live(client))) == ["stays", "comes", "called"]
        taken = [next(stream) for _ in range(20)]
        cursors = [one.cursor for one in taken if isinstance(one, snapshot_pb2.Snapshot)]
        assert {one.run_id for one in cursors} == {before["stays"].cursor.run_id}
        first = cursors[0].sequence
        assert [one.sequence for one in cursors] == list(range(first, first + len(cursors)))

        hup(changed.replace("speed: 20", "speed: 10"), "read again: 2 systems")

        def begun_anew() -> bool:  # what states otherwise is another system
            found = live(client)
            return (
                "stays" in found and found["stays"].cursor.run_id != before["stays"].cursor.run_id
            )

        wait_until(begun_anew)
        assert set(wait_until(lambda: live(client))) == {"stays", "comes", "called"}


def test_commands_name_a_system_and_list_them(server: Program) -> None:
    address = server.expect(r"grpc://(\S+)")[1]

    def run(*words: str, code: int = 0) -> str:
        done = sre_edge(address, *words)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    shown = run("systems")
    assert "stays (default)" in shown
    assert shown.count("● live") == 2
    assert [json.loads(line)["id"] for line in run("systems", "list", "--json").splitlines()] == [
        "stays", "goes",
    ]  # fmt: skip
    assert "supports      faults, labels, clock, reset" in run("systems", "show", "goes")
    fault = json.loads(
        run("inject", "database", "cpu_spike", "--for", "1h", "--system", "goes", "--json")
    )
    assert fault["id"] in run("experiments", fault["experiment_id"], "--system", "goes")
    assert "no experiment has the identifier" in run("experiments", fault["experiment_id"], code=2)
    hint = run("predict", "--system", "goez", code=2)
    assert "no system has the id 'goez'; known: stays, goes" in hint
    assert "Did you mean goes?" in hint
    assert "stopped" in run("stop", "--kill-switch", "--every-system")
    refused = run("inject", "database", "cpu_spike", "--system", "stays", code=2)
    assert "with every_system lifts it" in refused
    assert "accepted again" in run("stop", "--lift", "--every-system")
    assert "expected no IDENTIFIER" in run("stop", "f-1", "--every-system", code=2)
    assert "was not added by a call" in run("systems", "remove", "goes", code=2)
    with Client(address, system="goes") as client:
        for destroy in (client.remove_system, client.delete_records):
            with pytest.raises(InvalidRequest):
                destroy("")  # what is destroyed is no default


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: path.unlink(), "expected a readable YAML or JSON file"),
        (lambda path: path.write_text("systems: []"), "systems: expected a list of systems"),
        (lambda path: path.write_text(TWO.replace("20", "fast")), "systems[0].source.speed: "),
    ],
)
def test_a_systems_file_that_cannot_be_used_ends_the_start(
    path: Path, write: Callable[[Path], object], expected: str
) -> None:
    write(path)
    program = Program(*SERVER, "--systems", str(path))
    assert program.process.wait(60) == 2
    output = "\n".join(program.lines)
    assert str(path) in output
    assert expected in output
    program.stop()


def test_a_topology_that_cannot_be_used_is_a_state_of_its_system(path: Path) -> None:
    path.write_text(TWO.replace("speed: 20}", "topology: shop.yaml}", 1))
    program = Program(*SERVER, "--systems", str(path))
    with Client(program.expect(r"grpc://(\S+)")[1]) as client:
        stays, goes = client.systems()
        assert (stays.state, goes.state) == (
            system_pb2.SYSTEM_STATE_FAILED, system_pb2.SYSTEM_STATE_LIVE,
        )  # fmt: skip
        assert "shop.yaml: expected a readable YAML or JSON file" in stays.problem
        (path.parent / "shop.yaml").write_text("services: [{name: web}]")
        assert wait_until(lambda: live(client))["stays"].services == 1
    assert program.stop() == 0
