"""What is no longer true is said: a frozen server, a frozen path, a system without new data."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sre_edge import AsyncClient, Client, Connected, Disconnected, Stale, Unavailable
from sre_edge.testing import FakeServer
from sre_edge.v1 import clock_pb2, heartbeat_pb2, simulation_service_pb2, snapshot_pb2, system_pb2
from sre_edge.watch import Progress
from tests import processes
from tests.fault_proxy import fault_proxy
from tests.sre_edge.test_command_line_outcomes import PROGRAM, on_a_terminal

Follow = Callable[[Client], Iterator[Any]]
PATIENCE_S = 60.0


class Followed:
    """What a stream yields, in a thread of its own."""

    def __init__(self, client: Client, follow: Follow) -> None:
        self.told: list[Any] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(follow(client),), daemon=True)
        self._thread.start()

    def _run(self, stream: Iterator[Any]) -> None:
        for event in stream:
            with self._changed:
                self.told.append(event)
                self._changed.notify_all()

    def next(self, kind: type, after: int = 0) -> tuple[int, Any]:
        """Wait for an event of a kind, a silent one if it is `Stale`; give its place and itself."""

        def places() -> list[int]:
            told = enumerate(self.told[after:], after)
            found = [(i, event) for i, event in told if isinstance(event, kind)]
            return [i for i, event in found if kind is not Stale or event.silent]

        with self._changed:
            assert self._changed.wait_for(places, PATIENCE_S), [type(one) for one in self.told]
            return places()[0], self.told[places()[0]]


def without_holes(told: list[Any]) -> bool:
    numbers = [one.cursor.sequence for one in told if isinstance(one, snapshot_pb2.Snapshot)]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize("follow", [lambda c: c.watch(), lambda c: c.events()])
def test_a_frozen_server_is_noticed_and_so_is_its_return(follow: Follow) -> None:
    with processes.server_program() as (address, program), Client(address) as client:
        followed = Followed(client, follow)
        followed.next(Connected)
        with processes.frozen(program):
            place, stale = followed.next(Stale)
            assert str(stale).startswith(f"no sign of life from {address} since ")
            with pytest.raises(Unavailable):
                client.topology()  # and no call waits for ever
        followed.next(Connected, after=place + 1)
        assert not [one for one in followed.told if isinstance(one, Disconnected)]


async def test_a_path_that_passes_nothing_on_is_noticed_and_another_one_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sre_edge.watch.RENEW_S", 8.0)
    with processes.server() as address:
        async with (
            fault_proxy(address) as proxy,
            AsyncClient(proxy.address) as client,
            client.watch(["database"]) as watched,
            asyncio.timeout(PATIENCE_S),
        ):
            told = [await anext(watched) for _ in range(2)]
            proxy.stall_open()
            while not isinstance(told[-1], Stale) or not told[-1].silent:
                told.append(await anext(watched))
            before = len(told)
            told += [await anext(watched) for _ in range(3)]
    assert proxy.connections >= 2
    assert [type(one) for one in told[before:]] == [Connected, *[snapshot_pb2.Snapshot] * 2]
    assert without_holes(told)


async def test_the_blocking_client_finds_another_path_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sre_edge.watch.RENEW_S", 8.0)
    with processes.server() as address:
        async with fault_proxy(address) as proxy:
            with Client(proxy.address) as client:
                followed = Followed(client, lambda one: one.watch(["database"]))
                await asyncio.to_thread(followed.next, snapshot_pb2.Snapshot)
                proxy.stall_open()
                place, _ = await asyncio.to_thread(followed.next, Stale)
                place, _ = await asyncio.to_thread(followed.next, Connected, place)
    kinds = [type(one) for one in followed.told[place + 1 :]]
    assert set(kinds) <= {snapshot_pb2.Snapshot}
    assert without_holes(followed.told)


def test_a_system_without_new_data_is_stale_though_the_server_answers(fake: FakeServer) -> None:
    stale = heartbeat_pb2.Heartbeat(state=system_pb2.SYSTEM_STATE_STALE, problem="nobody answers")
    stale.frame_age.FromSeconds(12)
    with Client(fake.target) as client:
        for follow in (lambda: client.watch(), lambda: client.events()):
            with follow() as stream:
                assert isinstance(next(stream), Connected)
                fake.heartbeat = stale
                told = next(one for one in stream if isinstance(one, Stale))
                assert (told.silent, told.problem) == (False, "nobody answers")
                assert str(told).startswith("no new data since ")
                assert str(told).endswith(": nobody answers")
                fake.heartbeat = heartbeat_pb2.Heartbeat(state=system_pb2.SYSTEM_STATE_LIVE)
                assert isinstance(next(stream), Connected)


def test_an_older_server_on_which_nothing_happens_is_silent(fake: FakeServer) -> None:
    fake.heartbeat = None
    with Client(fake.target) as client, client.watch() as stream:
        assert [type(next(stream)) for _ in range(3)] == [Connected, snapshot_pb2.Snapshot, Stale]
        fake.tick()
        assert [type(next(stream)) for _ in range(2)] == [Connected, snapshot_pb2.Snapshot]


def message(**content: Any) -> simulation_service_pb2.StreamMetricsResponse:
    return simulation_service_pb2.StreamMetricsResponse(**content)


@pytest.mark.parametrize(
    ("interval_s", "clock", "seconds", "stale"),
    [
        (2.0, clock_pb2.Clock(speed=1.0), 5.9, False),
        (2.0, clock_pb2.Clock(speed=1.0), 6.1, True),
        (2.0, clock_pb2.Clock(speed=50.0), 4.9, False),
        (2.0, clock_pb2.Clock(speed=50.0), 5.1, True),
        (15.0, clock_pb2.Clock(speed=1.0), 44.0, False),
        (15.0, clock_pb2.Clock(speed=1.0), 46.0, True),
        (2.0, clock_pb2.Clock(speed=1.0, paused=True), 3600.0, False),
    ],
)
def test_data_is_stale_after_three_intervals_of_a_clock_that_runs(
    monkeypatch: pytest.MonkeyPatch,
    interval_s: float,
    clock: clock_pb2.Clock,
    seconds: float,
    stale: bool,
) -> None:
    from sre_edge.calls.stream import watch

    now_s = 1000.0
    monkeypatch.setattr("sre_edge.freshness.time.monotonic", lambda: now_s)
    progress = Progress(watch(), "edge:1")
    progress.request()
    taken = snapshot_pb2.Snapshot(interval_seconds=interval_s, clock=clock)
    assert isinstance(next(progress.received(message(snapshot=taken))), Connected)
    now_s += seconds
    live = heartbeat_pb2.Heartbeat(state=system_pb2.SYSTEM_STATE_LIVE)
    assert not list(progress.received(message(heartbeat=live)))
    told = list(progress.overdue())
    assert [one.reason for one in told] == ["no new data"] * stale
    assert not list(progress.overdue())  # it is said once


@pytest.mark.parametrize("command", ["watch", "events"])
def test_the_command_line_says_it_in_a_pipe(command: str) -> None:
    with processes.server_program() as (address, server):
        following = processes.Program(command, command=PROGRAM, SRE_EDGE_TARGET=address)
        try:
            with Client(address) as client:
                # Something happens until it is seen: then the stream is open.
                processes.wait_until(lambda: (client.reset(), following.lines)[1])
            with processes.frozen(server):
                following.expect(rf"^stale: no sign of life from {address} since \S+ UTC$")
            said = len(following.lines)
            if command == "watch":
                following.until(lambda: len(following.lines) > said)
        finally:
            assert following.stop(signal.SIGINT) == 0


def test_a_table_shows_no_service_as_healthy_that_nobody_sees(fake: FakeServer) -> None:
    fake.heartbeat = None
    shown = on_a_terminal(fake, "watch", until="STALE", ticking=False, COLUMNS="200")
    table = shown[shown.index("STALE: no sign of life from") :]
    assert "UTC" in table.partition("\n")[0]
    assert table.count("◆ unknown") >= 2
    assert "healthy" not in table
