"""Streams resume, admit loss, and cannot be hung or leaked."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading

import grpc
import pytest

import server.app
from ml.serving.predictor import Predictor
from server.app import App
from server.pipeline.snapshot import Snapshot
from server.rpc.broadcast import Broadcaster
from server.rpc.stream_slots import StreamSlots
from server.rpc.subscriber import EVERYTHING, MAX_WAITING, SnapshotFilter
from server.sources.simulation import simulation
from server.systems.system import System
from sre_edge.v1 import simulation_service_pb2, simulation_service_pb2_grpc, snapshot_pb2
from tests.conftest import StartServer
from tests.server.stubs import drained, wait_for

Request = simulation_service_pb2.StreamMetricsRequest
Cursor = snapshot_pb2.Cursor


def stub(channel: grpc.aio.Channel) -> simulation_service_pb2_grpc.SimulationServiceAsyncStub:
    return simulation_service_pb2_grpc.SimulationServiceStub(channel)  # type: ignore[return-value]


def snapshots(app: App, count: int) -> list[Snapshot]:
    return [app.only.system.tick() for _ in range(count)]


async def test_snapshots_come_in_order_without_holes(start_server: StartServer) -> None:
    app = await start_server(speed=100.0)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stream = stub(channel).StreamMetrics(Request(services=["database"]))
        got = [await stream.read() for _ in range(20)]
        stream.cancel()
    numbers = [message.snapshot.cursor.sequence for message in got]
    assert numbers == list(range(numbers[0], numbers[0] + 20))
    assert all([s.service for s in m.snapshot.services] == ["database"] for m in got)


async def test_a_tick_that_fails_once_it_is_published_leaves_no_hole(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_server(speed=0.1)
    subscriber = app.only.broadcaster.subscribe(EVERYTHING)
    first = await app.only.broadcaster.next(subscriber)
    for _ in range(2):  # they wait to be read
        await app.only.broadcaster.publish(app.only.system.tick())
    with monkeypatch.context() as patched:
        patched.setattr(app.only.system._present, "_notify_observer", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            app.only.system.tick()
    for _ in range(2):
        await app.only.broadcaster.publish(app.only.system.tick())
    got = [first, *[await app.only.broadcaster.next(subscriber) for _ in range(5)]]
    messages = map(simulation_service_pb2.StreamMetricsResponse.FromString, got)
    assert [message.snapshot.cursor.sequence for message in messages] == [1, 2, 3, 4, 5, 6]
    app.only.broadcaster.unsubscribe(subscriber)


async def test_edges_and_predictions_can_be_left_out(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    async with grpc.aio.insecure_channel(app.address) as channel:
        whole = (await stub(channel).StreamMetrics(Request()).read()).snapshot
        request = Request(without_edges=True, without_predictions=True)
        lean = (await stub(channel).StreamMetrics(request).read()).snapshot
    assert whole.edges
    assert not lean.edges
    assert not any(service.HasField("prediction") for service in lean.services)
    assert lean.system == whole.system
    del whole.edges[:]
    for service in whole.services:
        service.ClearField("prediction")
    assert lean == whole


async def test_a_stream_resumes_after_its_cursor(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    snapshots(app, 10)
    run = app.only.system.run.id
    async with grpc.aio.insecure_channel(app.address) as channel:
        stream = stub(channel).StreamMetrics(Request(resume_after=Cursor(run_id=run, sequence=4)))
        got = [(await stream.read()).snapshot.cursor.sequence for _ in range(7)]
        stream.cancel()
    assert got == [5, 6, 7, 8, 9, 10, 11]


async def test_what_the_history_no_longer_holds_is_said(start_server: StartServer) -> None:
    app = await start_server(speed=0.1, history=5)
    snapshots(app, 20)
    run = app.only.system.run.id
    async with grpc.aio.insecure_channel(app.address) as channel:
        stream = stub(channel).StreamMetrics(Request(resume_after=Cursor(run_id=run, sequence=3)))
        gap = (await stream.read()).gap
        assert gap.reason == snapshot_pb2.GAP_REASON_HISTORY_EXPIRED
        assert (gap.run_id, gap.first_sequence, gap.last_sequence) == (run, 4, 16)
        assert (await stream.read()).snapshot.cursor.sequence == 17
        stream.cancel()


async def test_a_cursor_of_another_run_gets_a_gap_and_the_latest(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    async with grpc.aio.insecure_channel(app.address) as channel:
        after = Cursor(run_id="long-gone", sequence=900)
        stream = stub(channel).StreamMetrics(Request(resume_after=after))
        gap = (await stream.read()).gap
        assert gap.reason == snapshot_pb2.GAP_REASON_RUN_ENDED
        assert gap.run_id == "long-gone"
        assert (await stream.read()).snapshot.cursor.run_id == app.only.system.run.id
        stream.cancel()


async def test_a_cursor_from_the_future_is_refused(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    async with grpc.aio.insecure_channel(app.address) as channel:
        after = Cursor(run_id=app.only.system.run.id, sequence=2**63)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub(channel).StreamMetrics(Request(resume_after=after)).read()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_slow_subscriber_loses_the_oldest_and_is_told(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    subscriber = app.only.broadcaster.subscribe(EVERYTHING)
    await app.only.broadcaster.next(subscriber)
    for snapshot in snapshots(app, MAX_WAITING + 3):
        await app.only.broadcaster.publish(snapshot)
    message = simulation_service_pb2.StreamMetricsResponse.FromString(
        await app.only.broadcaster.next(subscriber)
    )
    assert message.gap.reason == snapshot_pb2.GAP_REASON_SLOW_SUBSCRIBER
    assert (message.gap.first_sequence, message.gap.last_sequence) == (2, 4)
    message = simulation_service_pb2.StreamMetricsResponse.FromString(
        await app.only.broadcaster.next(subscriber)
    )
    assert message.snapshot.cursor.sequence == 5
    assert app.only.broadcaster.dropped == 3
    app.only.broadcaster.unsubscribe(subscriber)


async def test_a_subscriber_that_never_reads_is_ended(start_server: StartServer) -> None:
    app = await start_server(speed=100.0, topology="boutique", write_timeout_s=1.0)
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    async with grpc.aio.insecure_channel(app.address, options=options) as channel:
        stream = stub(channel).StreamMetrics(Request())
        await stream.read()
        await wait_for(lambda: app.only.broadcaster.streams == 0, 30.0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drained(stream)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_abandoned_and_cancelled_streams_leave_nothing(start_server: StartServer) -> None:
    app = await start_server(speed=100.0)
    async with grpc.aio.insecure_channel(app.address) as channel:
        for i in range(30):
            stream = stub(channel).StreamMetrics(Request())
            await stream.read()
            if i % 2:
                stream.cancel()
            del stream
        gc.collect()
        await wait_for(lambda: app.only.broadcaster.streams == 0)


async def test_streams_are_limited(start_server: StartServer) -> None:
    app = await start_server(max_streams=2)
    async with grpc.aio.insecure_channel(app.address) as channel:
        streams = [stub(channel).StreamMetrics(Request()) for _ in range(2)]
        for stream in streams:
            await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub(channel).StreamMetrics(Request()).read()
        for stream in streams:
            stream.cancel()
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_one_encoding_serves_all_streams_of_a_filter(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    subscribers = [
        app.only.broadcaster.subscribe(SnapshotFilter(frozenset(["auth-service"])))
        for _ in range(3)
    ]
    first = await asyncio.gather(*map(app.only.broadcaster.next, subscribers))  # who come together
    assert first[0] is first[1] is first[2]
    await app.only.broadcaster.publish(app.only.system.tick())
    messages = [await app.only.broadcaster.next(subscriber) for subscriber in subscribers]
    assert messages[0] is messages[1] is messages[2]
    for subscriber in subscribers:
        app.only.broadcaster.unsubscribe(subscriber)


async def test_the_figures_are_read_from_other_threads_while_subscribers_come_and_go() -> None:
    system = System(simulation("default", 1), Predictor())
    broadcaster = Broadcaster(system.history, StreamSlots(10_000))
    waiting = [broadcaster.subscribe(EVERYTHING) for _ in range(2000)]
    ended = threading.Event()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def scrape() -> None:
        while not ended.is_set():
            assert broadcaster.dropped == 0

    reading = asyncio.create_task(asyncio.to_thread(scrape))
    try:
        for _ in range(20_000):
            broadcaster.unsubscribe(waiting.pop())
            waiting.append(broadcaster.subscribe(EVERYTHING))
    finally:
        sys.setswitchinterval(before)
        ended.set()
    await reading
    broadcaster.end()


async def test_a_snapshot_of_a_run_that_is_over_is_not_sent(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    subscriber = app.only.broadcaster.subscribe(EVERYTHING)
    await app.only.broadcaster.next(subscriber)
    late = app.only.system.tick()
    app.only.system.reset()
    await app.only.broadcaster.publish(app.only.system.latest)
    await app.only.broadcaster.publish(late)
    await app.only.broadcaster.publish(app.only.system.tick())
    decoded = simulation_service_pb2.StreamMetricsResponse.FromString
    assert decoded(await app.only.broadcaster.next(subscriber)).gap.run_id == late.run.id
    for sequence in (1, 2):
        cursor = decoded(await app.only.broadcaster.next(subscriber)).snapshot.cursor
        assert (cursor.run_id, cursor.sequence) == (app.only.system.run.id, sequence)
    app.only.broadcaster.unsubscribe(subscriber)


async def test_stopping_ends_open_streams_at_once_and_says_so(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.app, "GRACE_S", 600.0)  # waiting it out would fail the test
    app = await start_server(speed=100.0)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stream = stub(channel).StreamMetrics(Request())
        await stream.read()
        stopping = asyncio.create_task(app.stop())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drained(stream)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        async with asyncio.timeout(60):
            await stopping
