"""The simulated clock: set by clients, driven by a clock that nobody can turn back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import grpc
import pytest
from prometheus_client import CollectorRegistry

from ml.serving.predictor import Predictor
from server import metrics
from server.app import App
from server.pipeline.clock import Clock
from server.rpc.broadcast import Broadcaster
from server.rpc.stream_slots import StreamSlots
from server.sources.simulation import simulation
from server.systems.system import System
from server.systems.ticker import Ticker
from sre_edge.v1 import simulation_service_pb2 as pb
from tests.conftest import StartServer
from tests.server.stubs import Stubs, news, sharing, violations


async def set_clock(stubs: Stubs, **asked: object) -> pb.SetClockResponse:
    return await stubs.simulation.SetClock(pb.SetClockRequest(**asked))  # type: ignore[arg-type]


async def test_a_pause_holds_time_but_no_stream(stubs: Stubs) -> None:
    stream = stubs.simulation.StreamMetrics(pb.StreamMetricsRequest())
    await stream.read()
    held = await set_clock(stubs, paused=True)
    assert held.clock.paused
    last = 0
    while not (message := await stream.read()).HasField("clock"):
        last = message.snapshot.cursor.sequence
    assert message.clock.paused
    assert last <= held.cursor.sequence
    await asyncio.sleep(0.5)  # five ticks, had it not been paused
    assert (await stubs.snapshot()).cursor == held.cursor
    going = await set_clock(stubs, paused=False, speed=50.0)
    assert (going.clock.paused, going.clock.speed) == (False, 50.0)
    assert (await news(stream)).clock == going.clock
    following = (await news(stream)).snapshot
    assert following.cursor.sequence == held.cursor.sequence + 1
    assert following.clock == going.clock
    stream.cancel()


async def test_who_comes_while_it_is_paused_is_told(stubs: Stubs) -> None:
    await set_clock(stubs, paused=True)
    stream = stubs.simulation.StreamMetrics(pb.StreamMetricsRequest())
    assert not (await stream.read()).snapshot.clock.paused  # it was not when that was made
    assert (await stream.read()).clock.paused
    info = await stubs.simulation.GetServerInfo(pb.GetServerInfoRequest())
    assert info.clock.paused
    stream.cancel()


async def test_a_reset_while_it_is_paused_shows_the_new_run_and_stays_paused(stubs: Stubs) -> None:
    await set_clock(stubs, paused=True)
    run = (await stubs.simulation.Reset(pb.ResetRequest())).run_id
    await asyncio.sleep(0.3)
    snapshot = await stubs.snapshot()
    assert (snapshot.cursor.run_id, snapshot.cursor.sequence) == (run, 1)


@sharing
@pytest.mark.parametrize("speed", [0.0, 0.09, 100.5, -1.0, float("nan"), float("inf")])
async def test_an_impossible_speed_changes_nothing(shared: Stubs, speed: float) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await set_clock(shared, paused=True, speed=speed)
    assert violations(caught.value) == {"speed": "expected 0.1 to 100 simulated seconds per second"}
    info = await shared.simulation.GetServerInfo(pb.GetServerInfoRequest())
    assert (info.clock.paused, info.clock.speed) == (False, 20.0)


@sharing
async def test_asking_for_nothing_is_refused(shared: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await set_clock(shared)
    assert set(violations(caught.value)) == {"paused"}


async def test_a_new_speed_counts_at_once(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)  # the next tick would come in 20 s
    before = app.only.system.latest.sequence
    await app.only.ticker.set_clock(None, 100.0)
    async with asyncio.timeout(10):
        while app.only.system.latest.sequence < before + 5:
            await asyncio.sleep(0.02)


class WallClock:
    """A wall clock that can be set."""

    offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@pytest.mark.parametrize("hours", [-48.0, 48.0])
async def test_a_wall_clock_that_jumps_moves_no_tick_and_no_simulated_time(hours: float) -> None:
    wall = WallClock()
    system = System(simulation("default", 1), Predictor(), clock=Clock(speed=100.0), now=wall.now)
    broadcaster = Broadcaster(system.history, StreamSlots(1))
    ticker = Ticker(system, broadcaster, metrics.tick_seconds(CollectorRegistry()))
    running = asyncio.create_task(ticker.run())
    await asyncio.sleep(0.2)
    wall.offset = timedelta(hours=hours)
    jumped_at = system.latest.sequence
    async with asyncio.timeout(10):
        while system.latest.sequence < jumped_at + 10:  # neither stalled ...
            await asyncio.sleep(0.02)
    running.cancel()
    history = system.history()
    steps = {b.time - a.time for a, b in pairwise(history)}
    assert steps == {timedelta(seconds=2)}  # ... nor raced
    assert abs(history[-1].produced_time - wall.now()) < timedelta(hours=1)


@pytest.mark.parametrize("jump_s", [3600.0, 1e6])
async def test_a_machine_that_slept_does_not_make_up_for_it(app: App, jump_s: float) -> None:
    """The loop's clock jumps forward as after a suspended machine: one tick, not thousands."""
    await app.only.ticker.set_clock(None, 0.1)
    loop = asyncio.get_running_loop()
    real = loop.time
    before = app.only.system.latest.sequence
    loop.time = lambda: real() + jump_s  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        while app.only.system.latest.sequence == before:
            await asyncio.sleep(0.02)
    for _ in range(20):
        await asyncio.sleep(0.02)
    assert app.only.system.latest.sequence == before + 1
