"""A system that fails, and a caller who gives up, disturb nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import grpc
import pytest

from server.app import App
from server.ports import Source, SourceError, SourceFactory
from server.sources.simulation import simulation
from server.systems.entry import SystemEntry
from sre_edge.v1 import (
    chaos_service_pb2,
    simulation_service_pb2,
    system_service_pb2,
)
from telemetry.frame import Frame
from tests.conftest import StartServer
from tests.server.model_calls import called, refused, until
from tests.server.systems import FAILED, LIVE, STALE, listed, state


@dataclass
class Breaking:
    """A simulation whose source can be opened after some attempts, and fails after some frames."""

    attempts: int = 0
    frames: int = 10**9

    def connect(self) -> SourceFactory:
        self.attempts -= 1
        if self.attempts >= 0:
            raise SourceError("nobody answers at http://127.0.0.1:9")
        return BreakingFactory(simulation("default", 1), self.frames)


@dataclass
class BreakingFactory:
    real: SourceFactory
    frames: int

    def open(self, now: datetime) -> Source:
        source = self.real.open(now)
        next_frame: Callable[[], Frame] = source.frames.next_frame
        left = self.frames

        def failing() -> Frame:
            nonlocal left
            left -= 1
            if left < 0:
                raise SourceError("the source has gone")
            return next_frame()

        source.frames.next_frame = failing  # type: ignore[method-assign]
        return source

    def altered(self, topology: str, seed: int | None) -> SourceFactory:
        return replace(self, real=self.real.altered(topology, seed))


async def test_a_source_that_fails_disturbs_no_other_and_is_tried_again(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.systems.fleet.FIRST_RETRY_S", 0.2)
    monkeypatch.setattr("telemetry.frame.MIN_STALE_S", 0.5)
    entries = [
        SystemEntry(Breaking(10**9).connect, "never"),
        SystemEntry(Breaking(3).connect, "later", speed=20.0),
        SystemEntry(Breaking(0, 20).connect, "stops", speed=20.0),
        SystemEntry(lambda: simulation("default", 1), "fine", default=True, speed=20.0),
    ]
    app: App = await start_server(entries=entries)
    async with called(app) as stubs:
        found = await listed(stubs)
        assert (found["never"].state, found["fine"].state) == (FAILED, LIVE)
        assert found["never"].problem == "nobody answers at http://127.0.0.1:9"
        assert not found["never"].HasField("frame_age")
        request = simulation_service_pb2.GetTopologyRequest(system="never")
        code, name, _ = await refused(stubs.simulation.GetTopology(request))
        assert (code, name) == (grpc.StatusCode.UNAVAILABLE, "SYSTEM_NOT_READY")
        await state(stubs, "later", LIVE)
        stale = await state(stubs, "stops", STALE)
        assert stale.problem == "the source has gone"
        assert stale.cursor.sequence == 20
        before = app.only.system.latest.sequence
        assert await until(lambda: app.only.system.latest.sequence > before + 20)
        assert app.only.ticker.failed == 0


async def test_a_change_goes_on_whoever_gives_up(start_server: StartServer) -> None:
    app = await start_server()
    entry = "id: game-day\nsource: {kind: simulation, speed: 20}"
    for change in (app.administration.add(entry), app.administration.remove("game-day")):
        wanted = not any(member.entry.id == "game-day" for member in app.systems)
        asked = asyncio.create_task(change)
        while not app.administration._tasks:
            await asyncio.sleep(0)
        asked.cancel()
        async with asyncio.timeout(30):
            while app.administration._tasks:
                await asyncio.sleep(0.01)
        assert any(member.entry.id == "game-day" for member in app.systems) is wanted
    async with called(app) as stubs:  # and nothing is left that would be in the way
        request = system_service_pb2.AddSystemRequest(entry=entry)
        assert (await stubs.system.AddSystem(request)).system.id == "game-day"


async def test_the_kill_switch_reaches_all_others_if_one_system_ends_or_fails(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [
        SystemEntry(lambda: simulation("default", 1), name, speed=20.0)
        for name in ("ends", "fails", "first", "last")
    ]
    app = await start_server(entries=entries, data=tmp_path / "data")
    async with called(app) as stubs:
        for name in ("ends", "fails", "first", "last"):
            await stubs.inject(
                system=name, target="database", kind="FAULT_KIND_CPU_SPIKE", duration="3600s"
            )
        await asyncio.to_thread(app.systems.get("ends").system.end)
        monkeypatch.setattr(app.systems.get("fails").system, "_recording_faults", lambda: 1 / 0)
        request = chaos_service_pb2.StopChaosRequest(kill_switch=True, every_system=True)
        code, name, _ = await refused(stubs.chaos.StopChaos(request))
        assert (code, name) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        for system in ("first", "last"):
            taken = simulation_service_pb2.GetMetricsRequest(system=system)
            assert app.systems.get(system).system.kill_switch.engaged
            async with asyncio.timeout(30):
                while (await stubs.simulation.GetMetrics(taken)).snapshot.active_faults:
                    await asyncio.sleep(0.05)
    await app.stop()
    again = await start_server(entries=entries, data=tmp_path / "data")
    assert again.administration.kill_switch.on  # it was stored nevertheless
