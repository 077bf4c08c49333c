"""A stream on which nothing happens says that the server is there, and how the system is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.app import App
from server.rpc.subscriber import EVERYTHING
from server.systems.entry import SystemEntry
from sre_edge.v1 import incident_service_pb2, simulation_service_pb2, system_pb2
from tests.conftest import StartServer
from tests.server.model_calls import called
from tests.server.stubs import Stubs
from tests.server.test_fleet_failures import Breaking

Metrics = simulation_service_pb2.StreamMetricsRequest
Events = incident_service_pb2.StreamEventsRequest
LIVE, STALE = system_pb2.SYSTEM_STATE_LIVE, system_pb2.SYSTEM_STATE_STALE


async def heartbeats(stream: Any, count: int) -> list[Any]:
    """Read so many heartbeats in a row, from the first one on."""
    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            message = await stream.read()
            assert not found or message.HasField("heartbeat"), "something happened"
            found += [message.heartbeat] if message.HasField("heartbeat") else []
    return found


async def test_a_paused_system_is_live_and_its_frame_grows_old(stubs: Stubs) -> None:
    await stubs.simulation.SetClock(simulation_service_pb2.SetClockRequest(paused=True))
    for stream in (
        stubs.simulation.StreamMetrics(Metrics()),
        stubs.incident.StreamEvents(Events()),
    ):
        found = await heartbeats(stream, 3)
        stream.cancel()
        assert [(one.state, one.problem) for one in found] == [(LIVE, "")] * 3
        ages = [one.frame_age.ToTimedelta().total_seconds() for one in found]
        assert 0.0 < ages[0] < ages[1] < ages[2]


async def test_both_streams_say_that_a_system_is_stale_and_why(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.frame.MIN_STALE_S", 0.5)
    app = await start_server(entries=[SystemEntry(Breaking(0, 20).connect, "stops", speed=20.0)])
    async with called(app) as stubs:
        for stream in (
            stubs.simulation.StreamMetrics(Metrics()),
            stubs.incident.StreamEvents(Events()),
        ):
            async with asyncio.timeout(60):  # the first ones may come before it has gone
                while (beat := (await stream.read()).heartbeat).state != STALE or not beat.problem:
                    pass
            stream.cancel()
            assert beat.problem == "the source has gone"


async def test_one_encoding_serves_all_idle_streams(still: App) -> None:
    broadcaster = still.only.broadcaster
    subscribers = [broadcaster.subscribe(EVERYTHING) for _ in range(3)]
    await asyncio.gather(*map(broadcaster.next, subscribers))  # the latest snapshot
    async with asyncio.timeout(60):
        first = await asyncio.gather(*map(broadcaster.next, subscribers))
    assert first[0] is first[1] is first[2]
    assert simulation_service_pb2.StreamMetricsResponse.FromString(first[0]).HasField("heartbeat")
    for subscriber in subscribers:
        broadcaster.unsubscribe(subscriber)


async def test_a_stream_on_which_something_happens_has_no_heartbeats(app: App) -> None:
    subscriber = app.only.broadcaster.subscribe(EVERYTHING)
    for _ in range(3):
        await app.only.broadcaster.next(subscriber)
        assert not subscriber.idle
    app.only.broadcaster.unsubscribe(subscriber)
