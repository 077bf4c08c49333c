"""A database that cannot be written: each call says what holds, and everything else goes on.

A real server process. SQLite fails because the process may write no file any more
(`RLIMIT_FSIZE`), PostgreSQL because it is stopped.
"""

from __future__ import annotations

import resource
import signal
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sre_edge import Client, SreEdgeError, Unavailable
from sre_edge.v1 import server_info_pb2
from tests.processes import Program, wait_until
from tests.server.store import postgres

SYSTEMS = """
systems:
  - {id: shop, default: true, source: {kind: simulation, speed: 20}}
  - {id: other, source: {kind: simulation, seed: 2, speed: 20}}
"""
ADDED = "id: added\nsource: {kind: simulation, speed: 20}"
SCENARIO = """
- name: game-day
  seconds: 600
  faults: [{target: database, kind: cpu_spike, start_s: 0, duration_s: 500}]
"""


@dataclass
class Breakable:
    """A server, and what makes its database fail and work again."""

    start: Callable[[], Program]
    fail: Callable[[Program], None]
    work: Callable[[Program], None]


def may_write(allowed: int) -> Callable[[Program], None]:
    """Limit the size of the files that a running program may write, bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(program: Program) -> None:
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (allowed, hard))

    return limit


def program(folder: Path, *more: str) -> Program:
    path = folder / "systems.yaml"
    path.write_text(SYSTEMS)
    return Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--systems", str(path), "--data", str(folder / "data"), *more,
    )  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def breakable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Breakable]:
    if request.param == "sqlite":
        yield Breakable(lambda: program(tmp_path), may_write(0), may_write(resource.RLIM_INFINITY))
        return
    with postgres.running() as database:
        yield Breakable(
            lambda: program(tmp_path, "--store", database.url),
            lambda _: database.stop(),
            lambda _: database.start(),
        )


def figures(client: Client) -> server_info_pb2.ServerFigures:
    return client.info().figures


def not_stored(call: Callable[[], object], *, done: bool, said: str) -> None:
    """Expect that a call says that it could not be stored, and whether it holds."""
    with pytest.raises(Unavailable) as caught:
        call()
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert caught.value.metadata == {"done": "true" if done else "false"}
    assert said in str(caught.value)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(SreEdgeError) as caught:
        call()
    return caught.value.reason


@pytest.mark.timeout(300)
def test_each_call_says_what_holds_and_writing_goes_on_by_itself(breakable: Breakable) -> None:
    server = breakable.start()
    address = server.expect(r"grpc://(\S+)")[1]
    with (
        Client(address, timeout_s=60.0) as client,
        Client(address, timeout_s=60.0, system="other") as other,
        Client(address, timeout_s=60.0, system="added") as added,
    ):
        for one in (client, other):
            wait_until(lambda one=one: one.metrics().cursor.sequence > 3)  # type: ignore[misc]
        client.add_system(ADDED.replace("added", "gone"))
        wait_until(lambda: client.system("gone").cursor.sequence)
        client.remove_system("gone")
        client.add_system(ADDED)
        wait_until(lambda: added.system().cursor.sequence)
        acting = client.inject("database", "cpu_spike", duration_s=3000)
        stopped = client.inject("auth-service", "cpu_spike", duration_s=3000)
        elsewhere = other.inject("database", "cpu_spike", duration_s=3000)
        live, run = client.info().model_version, other.metrics().cursor.run_id
        assert not figures(client).store_failing

        breakable.fail(server)
        sequence = client.metrics().cursor.sequence
        nothing = "nothing was injected"
        not_stored(
            lambda: client.inject("user-service", "cpu_spike", duration_s=3000, request_id="a"),
            done=False, said=nothing,
        )  # fmt: skip
        not_stored(lambda: client.run_scenario(SCENARIO, request_id="b"), done=False, said=nothing)
        not_stored(lambda: client.stop(stopped.id), done=True, said="the faults are stopped")
        assert refused(lambda: client.stop(stopped.id)) == "UNKNOWN_FAULT"
        wait_until(lambda: {f.id for f in client.metrics().active_faults} == {acting.id})

        switched = "the kill switch is on"
        not_stored(lambda: client.stop_all(kill_switch=True), done=True, said=switched)
        wait_until(lambda: not client.metrics().active_faults)
        assert client.metrics().kill_switch
        inject = lambda: client.inject("database", "cpu_spike", duration_s=9)  # noqa: E731
        assert refused(inject) == "KILL_SWITCH_ENGAGED"
        assert [f.id for f in other.metrics().active_faults] == [elsewhere.id]
        not_stored(client.lift_kill_switch, done=True, said="the kill switch is off")
        not_stored(inject, done=False, said=nothing)

        not_stored(
            lambda: client.stop_all(kill_switch=True, every_system=True), done=True,
            said="the kill switch for all systems is on",
        )  # fmt: skip
        wait_until(lambda: not other.metrics().active_faults)
        assert refused(inject) == "KILL_SWITCH_ENGAGED"
        not_stored(lambda: other.reset(seed=9), done=True, said="has begun")
        assert other.metrics().cursor.run_id != run
        not_stored(
            lambda: client.add_system(ADDED.replace("added", "more")), done=False,
            said="system more was not added",
        )  # fmt: skip
        not_stored(lambda: client.remove_system("added"), done=False, said="added is still watched")
        assert [one.id for one in client.systems()] == ["shop", "other", "added"]
        assert added.metrics().services
        not_stored(
            lambda: client.delete_records("gone"), done=False, said="no records were deleted"
        )
        not_stored(lambda: client.activate_model(live), done=False, said="stays live")
        assert client.predict()

        wait_until(lambda: client.metrics().cursor.sequence > sequence + 20)
        assert figures(client).failed_ticks == 0
        assert figures(client).store_failing
        assert "sre_edge_store_failing 1.0" in scraped(server)
        not_stored(lambda: client.stop_all(kill_switch=True), done=True, said=switched)

        breakable.work(server)
        server.expect("the database can be written again")
        wait_until(lambda: not figures(client).store_failing)
        # A switch that was told to be stored: by then what was owed for all systems is, too.
        wait_until(lambda: not fails(lambda: client.stop_all(kill_switch=True)))
        wait_until(lambda: not fails(lambda: client.lift_kill_switch(every_system=True)))
        client.lift_kill_switch()
        assert client.delete_records("gone")
        again = client.inject("user-service", "cpu_spike", duration_s=3000, request_id="a")
        repeated = client.inject("user-service", "cpu_spike", duration_s=3000, request_id="a")
        assert again == repeated
        wait_until(lambda: [f.id for f in client.metrics().active_faults] == [again.id])
        known = {one.id: one for one in client.experiments(500)}
        assert set(known) == {acting.experiment_id, stopped.experiment_id, again.experiment_id}
        assert known[stopped.experiment_id].faults[0].ended_by
    assert server.stop() == 0


@pytest.mark.timeout(300)
def test_switches_that_could_not_be_stored_are_stored_when_that_is_possible(
    breakable: Breakable,
) -> None:
    server = breakable.start()
    with Client(server.expect(r"grpc://(\S+)")[1], timeout_s=60.0) as client:
        wait_until(lambda: client.metrics().cursor.sequence > 3)
        breakable.fail(server)
        for every in (False, True):
            with pytest.raises(Unavailable):
                client.stop_all(kill_switch=True, every_system=every)
        breakable.work(server)
        server.expect("the kill switch for all systems is stored")
        server.expect("what system shop owed to the store is stored")
    server.process.send_signal(signal.SIGKILL)
    server.stop()
    again = breakable.start()
    address = again.expect(r"grpc://(\S+)")[1]
    with Client(address) as client, Client(address, system="other") as other:
        assert client.metrics().kill_switch
        assert client.lift_kill_switch(every_system=True)
        assert client.lift_kill_switch()
        assert not other.lift_kill_switch()
    assert again.stop() == 0


def fails(call: Callable[[], object]) -> bool:
    try:
        call()
    except Unavailable:
        return True
    return False


def scraped(server: Program) -> str:
    address = server.expect(r"metrics: (http://\S+/metrics)")[1]
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - its own address
        return str(answer.read().decode())
