"""Streams of both clients: how they are left, and what a lost connection costs."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sre_edge import AsyncClient, Client, Connected, Disconnected, NotFound, Unavailable
from sre_edge.calls import stream
from sre_edge.testing import FakeServer
from sre_edge.v1 import snapshot_pb2
from sre_edge.watch import Progress
from tests import processes


def until_no_stream_is_open(fake: FakeServer) -> None:
    deadline = time.monotonic() + 30.0
    while fake.streams and time.monotonic() < deadline:
        time.sleep(0.02)
    assert fake.streams == 0


def test_streams_are_cancelled_however_they_are_left(fake: FakeServer) -> None:
    client = Client(fake.target)
    with client.watch() as watched:
        assert isinstance(next(watched), Connected)
        assert isinstance(next(watched), snapshot_pb2.Snapshot)
        assert fake.streams == 1
    until_no_stream_is_open(fake)
    assert list(watched) == []

    for _ in client.watch():  # forgotten
        break
    gc.collect()
    until_no_stream_is_open(fake)

    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.extend(client.watch()))
    thread.start()
    while fake.streams == 0:
        time.sleep(0.02)
    client.close()  # and whoever iterates comes to the end, without an error
    thread.join(30.0)
    assert not thread.is_alive()
    until_no_stream_is_open(fake)


async def test_streams_of_asyncio_are_cancelled_however_they_are_left(fake: FakeServer) -> None:
    client = AsyncClient(fake.target)
    async with client.watch() as watched:
        assert isinstance(await anext(watched), Connected)
    await asyncio.to_thread(until_no_stream_is_open, fake)
    assert [event async for event in watched] == []

    async def follow() -> list[Any]:
        return [event async for event in client.watch()]

    task = asyncio.create_task(follow())
    while fake.streams == 0:
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until_no_stream_is_open, fake)

    task = asyncio.create_task(follow())
    while fake.streams == 0:
        await asyncio.sleep(0.02)
    await client.close()
    assert isinstance(await task, list)  # came to the end, without an error
    await asyncio.to_thread(until_no_stream_is_open, fake)


def story(fake: FakeServer, event: Callable[[], Any]) -> list[Any]:
    """A stream that is lost, with its server and its run: what is handed on."""
    told: list[Any] = []

    def take(count: int) -> None:
        told.extend(event() for _ in range(count))

    take(2)  # connected, 1
    fake.tick()
    take(1)  # 2
    fake.lose_streams()
    fake.tick()
    take(3)  # disconnected, connected, 3
    fake.stop()
    fake.begin_run()
    fake.start()
    take(4)  # disconnected, connected, gap, 1
    return told


def check_story(told: list[Any]) -> None:
    kinds = [type(event) for event in told]
    snapshot, gap = snapshot_pb2.Snapshot, snapshot_pb2.Gap
    assert kinds == [
        Connected, snapshot, snapshot,
        Disconnected, Connected, snapshot,
        Disconnected, Connected, gap, snapshot,
    ]  # fmt: skip
    numbers = [event.cursor.sequence for event in told if isinstance(event, snapshot)]
    assert numbers == [1, 2, 3, 1]
    assert told[8].reason == snapshot_pb2.GAP_REASON_RUN_ENDED
    assert told[8].run_id == told[5].cursor.run_id != told[9].cursor.run_id


def test_a_lost_stream_goes_on_and_says_what_was_lost(fake: FakeServer) -> None:
    with Client(fake.target) as client, client.watch() as watched:
        check_story(story(fake, lambda: next(watched)))


async def test_so_does_that_of_asyncio(fake: FakeServer) -> None:
    async with AsyncClient(fake.target) as client, client.watch() as watched:
        loop = asyncio.get_running_loop()

        def event() -> Any:
            return asyncio.run_coroutine_threadsafe(anext(watched), loop).result(30.0)

        check_story(await asyncio.to_thread(story, fake, event))


def test_events_that_are_lost_before_the_first_one_go_on_from_their_position(
    fake: FakeServer,
) -> None:
    with Client(fake.target) as client, client.events() as happening:
        assert isinstance(next(happening), Connected)
        fake.lose_streams()
        assert isinstance(next(happening), Disconnected)
        assert isinstance(next(happening), Connected)
    first, second = fake.requests("StreamEvents")
    assert not first.HasField("resume_after")
    assert second.resume_after.run_id == fake.tick().cursor.run_id


async def test_asyncio_against_a_real_server() -> None:
    with processes.server() as address:
        async with AsyncClient(address) as client:
            names = [service.name for service in (await client.topology()).services]
            fault = await client.inject("database", "cpu_spike", duration_s=30)
            async with client.events() as happening, client.watch(["database"]) as watched:
                taken = [await anext(watched) for _ in range(10)]
                stopped = await client.stop(fault.id)
                told = [await anext(happening) for _ in range(2)]
            with pytest.raises(NotFound, match="known: api-gateway"):
                await client.predict(["databse"])
    assert names[-1] == "database"
    assert [one.id for one in stopped] == [fault.id]
    numbers = [one.cursor.sequence for one in taken[1:]]  # type: ignore[union-attr]
    assert numbers == list(range(numbers[0], numbers[0] + 9))
    assert isinstance(told[0], Connected)


def test_a_stream_that_is_not_to_be_opened_again_is_an_error_however_it_ends() -> None:
    progress = Progress(stream.watch(reconnect=False), "127.0.0.1:1")
    with pytest.raises(Unavailable, match="ended the stream"):
        progress.lost(None)
