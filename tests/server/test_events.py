"""Events over a real server: in order, filtered, resumed, and nothing lost unsaid."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import grpc
import pytest

from ml.serving.artefact import read_manifest
from server.app import App
from server.records.events import MAX_RECORDS, Event, EventKind
from sre_edge.v1 import (
    alarm_pb2,
    event_pb2,
    incident_pb2,
    incident_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
)
from tests.conftest import StartServer
from tests.server.chaos_calls import KILL, RAMPED, tick
from tests.server.learning import another_model
from tests.server.model_calls import activate
from tests.server.stubs import SERVICES, Stubs, drained, news, wait_for

StreamEvents = incident_service_pb2.StreamEventsRequest
Cursor = event_pb2.EventCursor


async def opened(stream: Any) -> Cursor:
    async with asyncio.timeout(20):
        first = await stream.read()
    assert first.WhichOneof("message") == "position"
    return first.position


async def read(stream: Any, count: int) -> list[event_pb2.Event]:
    async with asyncio.timeout(20):
        return [(await news(stream)).event for _ in range(count)]


async def test_events_tell_what_happens_in_order_without_holes(still: App, calls: Stubs) -> None:
    begin = Cursor(run_id=still.only.system.run.id)
    stream = calls.incident.StreamEvents(StreamEvents(resume_after=begin))
    assert await opened(stream) == begin
    (start,) = await read(stream, 1)
    assert start.kind == event_pb2.EVENT_KIND_RUN_STARTED
    assert start.run_start.topology == "default"
    fault = await calls.inject(**RAMPED)
    tick(still, 160)
    found = [start, *await read(stream, len(still.only.system.events.read(0, 10_000)[0]) - 1)]
    stream.cancel()
    assert [e.cursor.sequence for e in found] == list(range(1, len(found) + 1))
    kinds = [e.kind for e in found]
    order = [
        event_pb2.EVENT_KIND_FAULT_STARTED, event_pb2.EVENT_KIND_ALARM_RAISED,
        event_pb2.EVENT_KIND_STATUS_CHANGED, event_pb2.EVENT_KIND_INCIDENT_OPENED,
        event_pb2.EVENT_KIND_FAULT_ENDED, event_pb2.EVENT_KIND_INCIDENT_CLOSED,
    ]  # fmt: skip
    places = [kinds.index(kind) for kind in order]
    assert places == sorted(places)
    assert event_pb2.EVENT_KIND_SLO_ALERT_FIRED in kinds
    begun = found[places[0]]
    assert begun.fault == fault
    assert list(begun.services) == ["database"]
    turned = [e.alarm for e in found if e.kind == event_pb2.EVENT_KIND_ALARM_ENDED]
    assert {alarm.outcome for alarm in turned} == {alarm_pb2.ALARM_OUTCOME_FORETOLD}
    closed = found[places[-1]]
    assert closed.incident.ended_by == incident_pb2.INCIDENT_END_RECOVERED
    assert set(closed.services) == set(SERVICES)
    assert all(e.text for e in found)


async def test_events_are_filtered_by_kind_and_service(still: App, calls: Stubs) -> None:
    begin = Cursor(run_id=still.only.system.run.id)
    stream = calls.incident.StreamEvents(
        StreamEvents(
            kinds=[event_pb2.EVENT_KIND_STATUS_CHANGED, event_pb2.EVENT_KIND_RUN_STARTED],
            services=["auth-service"],
            resume_after=begin,
        )
    )
    await opened(stream)
    await calls.inject(**{**KILL, "duration": "10s"})
    tick(still, 60)
    start, ill, *_ = await read(stream, 3)
    stream.cancel()
    assert start.kind == event_pb2.EVENT_KIND_RUN_STARTED
    assert list(ill.services) == ["auth-service"]
    assert ill.status_change.before == snapshot_pb2.STATUS_HEALTHY


async def test_a_new_stream_begins_with_what_happens_next(calls: Stubs) -> None:
    stream = calls.incident.StreamEvents(StreamEvents())
    await opened(stream)
    fault = await calls.inject(**KILL)
    (event,) = await read(stream, 1)
    stream.cancel()
    assert event.fault == fault


async def test_a_stream_that_is_lost_before_an_event_goes_on_from_its_position(
    still: App, calls: Stubs
) -> None:
    tick(still, 3)
    stream = calls.incident.StreamEvents(StreamEvents())
    position = await opened(stream)
    stream.cancel()
    fault = await calls.inject(**KILL)  # while nobody is told
    stream = calls.incident.StreamEvents(StreamEvents(resume_after=position))
    assert await opened(stream) == position
    (event,) = await read(stream, 1)
    stream.cancel()
    assert event.fault == fault
    assert event.cursor.sequence == position.sequence + 1


async def test_events_go_on_after_the_cursor_through_reset_and_restart(
    start_server: StartServer, tmp_path: Path
) -> None:
    app = await start_server(speed=0.1, data=tmp_path / "kept")
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        await calls.inject(**KILL)
        tick(app, 20)
        begin = Cursor(run_id=app.only.system.run.id)
        stream = calls.incident.StreamEvents(StreamEvents(resume_after=begin))
        await opened(stream)
        first, second = await read(stream, 2)
        stream.cancel()
        await calls.simulation.Reset(simulation_service_pb2.ResetRequest())
    await app.stop()
    app = await start_server(speed=0.1, data=tmp_path / "kept")
    async with grpc.aio.insecure_channel(app.address) as channel:
        stream = Stubs(channel).incident.StreamEvents(StreamEvents(resume_after=second.cursor))
        assert await opened(stream) == second.cursor
        found = await read(stream, len(app.only.system.events.read(0, 10_000)[0]) - 2)
        stream.cancel()
    assert [first.cursor.sequence, second.cursor.sequence] == [1, 2]
    by_run: dict[str, list[int]] = {}
    for event in found:
        by_run.setdefault(event.cursor.run_id, []).append(event.cursor.sequence)
    before, reset, restarted = by_run.values()
    assert before == list(range(3, 3 + len(before)))
    assert reset[0] == restarted[0] == 1
    ended = [e for e in found if e.kind == event_pb2.EVENT_KIND_INCIDENT_CLOSED]
    assert [e.incident.ended_by for e in ended] == [incident_pb2.INCIDENT_END_RUN_ENDED]


async def test_events_that_are_gone_are_said_with_a_gap(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_server(speed=0.1)
    monkeypatch.setattr(
        app.only.system.events, "_events", type(app.only.system.events._events)(maxlen=5)
    )
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        await calls.inject(**KILL)
        tick(app, 100)
        run = app.only.system.run.id
        last = app.only.system.events._sequence
        stream = calls.incident.StreamEvents(
            StreamEvents(resume_after=Cursor(run_id=run, sequence=2))
        )
        await opened(stream)
        gap = (await stream.read()).gap
        assert gap.reason == snapshot_pb2.GAP_REASON_HISTORY_EXPIRED
        assert (gap.run_id, gap.first_sequence, gap.last_sequence) == (run, 3, last - 5)
        assert [e.cursor.sequence for e in await read(stream, 5)] == list(range(last - 4, last + 1))
        stream.cancel()
        stream = calls.incident.StreamEvents(
            StreamEvents(resume_after=Cursor(run_id="long-gone", sequence=2))
        )
        await opened(stream)
        gap = (await stream.read()).gap
        assert (gap.reason, gap.run_id) == (snapshot_pb2.GAP_REASON_RUN_ENDED, "long-gone")
        assert (await read(stream, 1))[0].cursor.sequence == last - 4
        stream.cancel()


async def test_streams_of_events_are_limited_and_end_with_the_server(
    start_server: StartServer,
) -> None:
    app = await start_server(speed=0.1, max_streams=1)
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        begin = Cursor(run_id=app.only.system.run.id)
        stream = calls.incident.StreamEvents(StreamEvents(resume_after=begin))
        await opened(stream)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await calls.incident.StreamEvents(StreamEvents()).read()
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        stopping = asyncio.create_task(app.stop())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(stream, 1000)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        await stopping


async def test_a_new_model_is_an_event(start_server: StartServer, tmp_path: Path) -> None:
    known = tmp_path / "kept" / "models"
    made = another_model(known / "made", 5)
    version = read_manifest(made).version
    made.rename(known / version)
    app = await start_server(speed=0.1, data=tmp_path / "kept")
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        stream = calls.incident.StreamEvents(StreamEvents())
        await opened(stream)
        await activate(calls, version)
        (event,) = await read(stream, 1)
        stream.cancel()
    assert event.kind == event_pb2.EVENT_KIND_MODEL_ACTIVATED
    assert event.model_change.model_version == version
    assert version in event.text


async def test_a_reader_of_events_that_never_reads_is_ended(start_server: StartServer) -> None:
    app = await start_server(speed=0.1, write_timeout_s=1.0)
    run, now = app.only.system.run.id, app.only.system.latest.end_time
    many = [Event(EventKind.STATUS_CHANGED, now, (), "x" * 1000) for _ in range(MAX_RECORDS // 2)]
    app.only.system.events.add(run, many, now)
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    async with grpc.aio.insecure_channel(app.address, options=options) as channel:
        request = StreamEvents(resume_after=Cursor(run_id=run))
        stream = Stubs(channel).incident.StreamEvents(request)
        await opened(stream)
        await wait_for(lambda: app.only.feed.streams == 0, 30.0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drained(stream)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_abandoned_and_cancelled_streams_of_events_leave_nothing(
    still: App, calls: Stubs
) -> None:
    for i in range(10):
        stream = calls.incident.StreamEvents(StreamEvents())
        await opened(stream)
        if i % 2:
            stream.cancel()
        del stream
    gc.collect()
    await wait_for(lambda: still.only.feed.streams == 0)
