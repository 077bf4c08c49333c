"""Subscribers over connections that stall, trickle and break, and a crowd that comes and goes."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import grpc

from server.app import App
from sre_edge import Client
from sre_edge.v1 import simulation_service_pb2 as pb
from sre_edge.v1 import snapshot_pb2
from tests.accounting import Account, account
from tests.conftest import StartServer
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.server.stubs import Stubs

OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


class Watcher:
    """The client of ours that watches from a thread, until it is stopped."""

    def __init__(self, address: str) -> None:
        self.seen: list[Any] = []
        self._stopping = threading.Event()
        self._client = Client(address)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        for event in self._client.watch():
            if isinstance(event, snapshot_pb2.Snapshot | snapshot_pb2.Gap):
                self.seen.append(event)
            if self._stopping.is_set():
                return

    def account(self) -> Account:
        return account(self.seen)

    @property
    def last(self) -> int:
        snapshots = [e for e in self.seen[-2:] if isinstance(e, snapshot_pb2.Snapshot)]
        return snapshots[-1].cursor.sequence if snapshots else 0

    async def until_it_is_at(self, sequence: int) -> None:
        async with asyncio.timeout(60):
            while self.last < sequence:
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._stopping.set()
        await asyncio.to_thread(self._thread.join, 30.0)
        assert not self._thread.is_alive()
        self._client.close()


async def advanced(app: App, ticks: int) -> int:
    """Wait until the server has made so many more snapshots; gives the latest number."""
    goal = app.only.system.latest.sequence + ticks
    async with asyncio.timeout(60):
        while app.only.system.latest.sequence < goal:
            await asyncio.sleep(0.02)
    return goal


async def suffering(app: App, faults: Any) -> Watcher:
    """Watch through a proxy while something happens to it, and catch up afterwards."""
    async with fault_proxy(app.address) as proxy:
        watcher = Watcher(proxy.address)
        await watcher.until_it_is_at(5)
        await faults(proxy)
        proxy.flow()
        await watcher.until_it_is_at(await advanced(app, 5))
        await watcher.stop()
    found = watcher.account()
    assert not found.holes
    assert found.delivered + found.lost == found.last - watcher.seen[0].cursor.sequence + 1
    return watcher


async def test_a_connection_that_stalls_for_a_while_loses_nothing(
    start_server: StartServer,
) -> None:
    app = await start_server(speed=100.0, write_timeout_s=1.0)

    async def stalls(proxy: FaultProxy) -> None:
        proxy.stall()
        await advanced(app, 300)  # longer than the server waits for a reader

    watcher = await suffering(app, stalls)
    assert watcher.account().delivered > 300


async def test_a_connection_that_trickles_is_told_what_it_loses(start_server: StartServer) -> None:
    app = await start_server(speed=100.0, topology="boutique")

    async def trickles(proxy: FaultProxy) -> None:
        proxy.trickling = True
        async with asyncio.timeout(60):
            while not app.only.broadcaster.dropped:
                await advanced(app, 20)

    watcher = await suffering(app, trickles)
    found = watcher.account()
    assert found.lost > 0
    assert app.only.broadcaster.dropped >= found.lost


async def test_a_connection_that_breaks_again_and_again_loses_nothing(
    start_server: StartServer,
) -> None:
    app = await start_server(speed=100.0)
    breaks = 0

    async def broken(proxy: FaultProxy) -> None:
        nonlocal breaks
        for _ in range(5):
            await advanced(app, 20)
            proxy.break_all()
            before = proxy.connections
            async with asyncio.timeout(30):
                while proxy.connections == before:
                    await asyncio.sleep(0.02)
            breaks += 1

    watcher = await suffering(app, broken)
    assert breaks == 5
    assert watcher.account().lost == 0


async def test_200_connections_that_come_and_go_leave_nothing(start_server: StartServer) -> None:
    app = await start_server(speed=100.0)

    async def visit(number: int) -> None:
        channel = grpc.aio.insecure_channel(app.address, options=OWN_CONNECTION)
        stream = Stubs(channel).simulation.StreamMetrics(pb.StreamMetricsRequest())
        await stream.read()
        if number % 4 == 0:
            await channel.close()  # in order
        elif number % 4 == 1:
            stream.cancel()
            await channel.close()
        else:
            await channel.close(grace=None)
            del stream  # without a word

    for start in range(0, 200, 25):
        await asyncio.gather(*(visit(number) for number in range(start, start + 25)))
    gc.collect()
    async with asyncio.timeout(30):
        while app.only.broadcaster.streams:
            await asyncio.sleep(0.02)
    async with grpc.aio.insecure_channel(app.address) as channel:
        assert await Stubs(channel).snapshot()


async def test_a_slow_subscriber_does_not_slow_the_others(start_server: StartServer) -> None:
    app = await start_server(speed=20.0)
    async with (
        fault_proxy(app.address) as proxy,
        grpc.aio.insecure_channel(app.address, options=OWN_CONNECTION) as direct,
    ):
        slow = Watcher(proxy.address)
        await slow.until_it_is_at(2)
        proxy.stall()
        stream = Stubs(direct).simulation.StreamMetrics(pb.StreamMetricsRequest())
        seen = [(await stream.read()).snapshot.cursor.sequence for _ in range(50)]
        assert seen == list(range(seen[0], seen[0] + 50))
        stream.cancel()
        proxy.flow()
        await slow.stop()
