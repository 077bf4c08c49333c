"""Stopping faults gets through, whatever else goes on in the server."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import grpc
import pytest

from server.systems.system import System
from sre_edge.v1 import chaos_service_pb2, simulation_service_pb2
from tests.conftest import StartServer
from tests.server.model_calls import called
from tests.server.stubs import Stubs, reason

SYSTEMS = """
systems:
  - {id: shop, default: true, source: {kind: simulation, speed: 20}}
  - {id: hangs, source: {kind: simulation, speed: 20}}
"""
LONG = {"target": "database", "kind": "FAULT_KIND_CPU_SPIKE", "duration": "3000s"}


async def until_calm(stubs: Stubs) -> None:
    await stubs.until(lambda snapshot: not snapshot.active_faults and snapshot.kill_switch)


@pytest.mark.parametrize("every_system", [False, True])
async def test_the_kill_switch_gets_through_while_slow_calls_hold_all_other_threads(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, every_system: bool
) -> None:
    app = await start_server(max_calls=200)
    going = threading.Event()
    prepare = System.prepare

    def slow(self: System, topology: str = "", seed: int | None = None) -> object:
        going.wait(60.0)
        return prepare(self, topology, seed)

    monkeypatch.setattr(System, "prepare", slow)
    async with called(app) as stubs:
        await stubs.inject(**LONG)
        loop = asyncio.get_running_loop()
        # Whatever runs in the default threads, and in those that wait for the database.
        blocking = [loop.run_in_executor(None, going.wait, 60.0) for _ in range(64)]
        blocking += [
            asyncio.ensure_future(app.store.run_blocking(going.wait, 60.0)) for _ in range(64)
        ]
        resets = [
            asyncio.ensure_future(stubs.simulation.Reset(simulation_service_pb2.ResetRequest()))
            for _ in range(4)
        ]
        request = chaos_service_pb2.StopChaosRequest(kill_switch=True, every_system=every_system)
        stopped = (await stubs.chaos.StopChaos(request, timeout=30)).stopped
        assert len(stopped) == 1
        going.set()
        await until_calm(stubs)
        await asyncio.gather(*blocking, *resets)


async def test_calls_at_their_limit_keep_no_stop_out(start_server: StartServer) -> None:
    app = await start_server(max_calls=3)
    async with called(app) as stubs:
        await stubs.inject(**LONG)
        with app.only.system._lock:  # a long tick
            waiting = [asyncio.ensure_future(stubs.inject(**LONG)) for _ in range(3)]
            async with asyncio.timeout(30):
                while not await refused(stubs):
                    await asyncio.sleep(0.02)
            request = chaos_service_pb2.StopChaosRequest(kill_switch=True)
            stopping = asyncio.ensure_future(stubs.chaos.StopChaos(request))
            await asyncio.sleep(0.1)
            assert not stopping.done()
        assert (await stopping).stopped
        await asyncio.gather(*waiting, return_exceptions=True)  # before the switch, or refused
        await until_calm(stubs)


async def refused(stubs: Stubs) -> bool:
    """Whether the limit of calls is reached."""
    request = simulation_service_pb2.GetServerInfoRequest()
    (outcome,) = await asyncio.gather(
        stubs.simulation.GetServerInfo(request), return_exceptions=True
    )
    if not isinstance(outcome, grpc.aio.AioRpcError):
        return False
    return reason(outcome)[0] == "TOO_MANY_CALLS"


async def test_a_system_that_hangs_holds_up_no_stop_of_another(
    start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "systems.yaml"
    path.write_text(SYSTEMS)
    app = await start_server(systems=path)
    async with called(app) as stubs:
        await stubs.inject(**LONG)
        with app.systems.get("hangs").system._lock:
            stop = chaos_service_pb2.StopChaosRequest(all=True, system="hangs")
            hanging = [asyncio.ensure_future(stubs.chaos.StopChaos(stop)) for _ in range(40)]
            everywhere = chaos_service_pb2.StopChaosRequest(kill_switch=True, every_system=True)
            engaging = asyncio.ensure_future(stubs.chaos.StopChaos(everywhere))
            await until_calm(stubs)
            assert not engaging.done()
        await asyncio.gather(engaging, *hanging)
