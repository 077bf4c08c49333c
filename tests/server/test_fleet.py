"""Several systems in one server: each on its own, and what is done to all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.app import App
from server.ports import Source, SourceError, SourceFactory
from server.sources.entries import read_file
from server.sources.simulation import simulation
from server.systems.entry import SystemEntry
from sre_edge.v1 import (
    chaos_service_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    system_pb2,
    system_service_pb2,
)
from telemetry.document import DocumentError
from telemetry.frame import Frame
from tests.conftest import StartServer
from tests.server.model_calls import called, refused, until
from tests.server.stubs import Stubs, drained, reason, violations

TWO = """
systems:
  - id: shop-eu
    name: Shop, Europe
    source: {kind: simulation, topology: default, seed: 3, speed: 20}
    labels: {cluster: eu}
  - id: shop-us
    source: {kind: simulation, topology: boutique, speed: 20}
"""
LIVE, FAILED = system_pb2.SYSTEM_STATE_LIVE, system_pb2.SYSTEM_STATE_FAILED
STALE = system_pb2.SYSTEM_STATE_STALE


def systems_file(folder: Path, text: str = TWO) -> Path:
    path = folder / "systems.yaml"
    path.write_text(text)
    return path


async def listed(stubs: Stubs) -> dict[str, system_pb2.System]:
    answer = await stubs.system.ListSystems(system_service_pb2.ListSystemsRequest())
    return {one.id: one for one in answer.systems}


async def state(stubs: Stubs, system: str, wanted: int) -> system_pb2.System:
    async with asyncio.timeout(30):
        while (found := (await listed(stubs))[system]).state != wanted:
            await asyncio.sleep(0.05)
    return found


async def test_each_system_has_its_own_topology_clock_and_run(
    start_server: StartServer, tmp_path: Path
) -> None:
    app = await start_server(systems=systems_file(tmp_path))
    async with called(app) as stubs:
        found = await listed(stubs)
        assert list(found) == ["shop-eu", "shop-us"]
        europe, america = found.values()
        assert (europe.name, europe.source, europe.state) == (
            "Shop, Europe", system_pb2.SOURCE_KIND_SIMULATION, LIVE,
        )  # fmt: skip
        assert (america.name, america.services, europe.services) == ("shop-us", 11, 4)
        assert dict(europe.labels) == {"cluster": "eu"}
        assert europe.capabilities.faults
        assert europe.capabilities.reset
        for one in found.values():
            request = simulation_service_pb2.GetMetricsRequest(system=one.id)
            snapshot = (await stubs.simulation.GetMetrics(request)).snapshot
            assert snapshot.system_id == one.id
            assert len(snapshot.services) == one.services
            assert snapshot.cursor.run_id == one.cursor.run_id
        await stubs.simulation.SetClock(
            simulation_service_pb2.SetClockRequest(paused=True, system="shop-us")
        )
        found = await listed(stubs)
        assert (found["shop-eu"].clock.paused, found["shop-us"].clock.paused) == (False, True)
        reset = await stubs.simulation.Reset(
            simulation_service_pb2.ResetRequest(system="shop-us", seed=9)
        )
        after = await listed(stubs)
        assert after["shop-us"].cursor.run_id == reset.run_id
        assert after["shop-eu"].cursor.run_id == found["shop-eu"].cursor.run_id
        for service in (await stubs.prediction.Predict(
            prediction_service_pb2.PredictRequest(system="shop-eu")
        )).predictions:  # fmt: skip
            assert service.service in ("api-gateway", "auth-service", "user-service", "database")


async def test_who_names_no_system_gets_the_default_one_or_is_asked_which(
    start_server: StartServer, tmp_path: Path
) -> None:
    app = await start_server(systems=systems_file(tmp_path))
    async with called(app) as stubs:
        code, name, metadata = await refused(stubs.inject(
            target="database", kind="FAULT_KIND_CPU_SPIKE", duration="9s"
        ))  # fmt: skip
        assert (code, name) == (grpc.StatusCode.INVALID_ARGUMENT, "WHICH_SYSTEM")
        assert metadata == {"known": "shop-eu,shop-us"}
        code, name, metadata = await refused(
            stubs.simulation.GetTopology(simulation_service_pb2.GetTopologyRequest(system="shop"))
        )
        assert (code, name) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYSTEM")
        assert metadata == {"system": "shop", "known": "shop-eu,shop-us"}
    with_default = TWO.replace("labels: {cluster: eu}", "default: true")
    app = await start_server(systems=systems_file(tmp_path, with_default))
    async with called(app) as stubs:
        assert (await stubs.snapshot()).system_id == "shop-eu"
    app = await start_server()
    async with called(app) as stubs:
        assert list(await listed(stubs)) == ["default"]
        assert (await stubs.snapshot()).system_id == "default"


async def test_records_and_events_belong_to_their_system(
    start_server: StartServer, tmp_path: Path
) -> None:
    app = await start_server(systems=systems_file(tmp_path))
    async with called(app) as stubs:
        request = incident_service_pb2.StreamEventsRequest(system="shop-eu")
        events = stubs.incident.StreamEvents(request)
        await events.read()
        elsewhere = stubs.incident.StreamEvents(
            incident_service_pb2.StreamEventsRequest(system="shop-us")
        )
        await elsewhere.read()
        fault = await stubs.inject(
            system="shop-eu", target="database", kind="FAULT_KIND_SERVICE_KILL", duration="60s"
        )
        event = (await events.read()).event
        assert (event.system, event.fault.id) == ("shop-eu", fault.id)

        async def experiments(system: str) -> list[Any]:
            request = chaos_service_pb2.ListExperimentsRequest(system=system)
            return list((await stubs.chaos.ListExperiments(request)).experiments)

        async def incidents(system: str) -> list[Any]:
            request = incident_service_pb2.ListIncidentsRequest(system=system)
            return list((await stubs.incident.ListIncidents(request)).incidents)

        assert [one.system for one in await experiments("shop-eu")] == ["shop-eu"]
        assert await experiments("shop-us") == []
        async with asyncio.timeout(30):
            while not (happened := await incidents("shop-eu")):
                await asyncio.sleep(0.1)
        assert {one.system for one in happened} == {"shop-eu"}
        other = chaos_service_pb2.GetExperimentRequest(
            system="shop-us", experiment_id=fault.experiment_id
        )
        code, name, _ = await refused(stubs.chaos.GetExperiment(other))
        assert (code, name) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_EXPERIMENT")
        events.cancel()
        elsewhere.cancel()


async def test_a_kill_switch_of_a_system_and_one_above_all(
    start_server: StartServer, tmp_path: Path
) -> None:
    path, data = systems_file(tmp_path), tmp_path / "data"

    async def inject(stubs: Stubs, system: str) -> Any:
        return await stubs.inject(
            system=system, kind="FAULT_KIND_CASCADE_FAILURE", duration="3600s"
        )

    async def engage(stubs: Stubs, **fields: Any) -> list[Any]:
        request = chaos_service_pb2.StopChaosRequest(kill_switch=True, **fields)
        return list((await stubs.chaos.StopChaos(request)).stopped)

    async def lift(stubs: Stubs, **fields: Any) -> bool:
        request = chaos_service_pb2.LiftKillSwitchRequest(**fields)
        return bool((await stubs.chaos.LiftKillSwitch(request)).lifted)

    app = await start_server(systems=path, data=data)
    async with called(app) as stubs:
        for system in ("shop-eu", "shop-us"):
            await inject(stubs, system)
        assert len(await engage(stubs, system="shop-us")) == 1
        await inject(stubs, "shop-eu")  # it is not concerned
        code, name, _ = await refused(engage(stubs, every_system=True, system="shop-eu"))
        assert (code, name) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert len(await engage(stubs, every_system=True)) == 2
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await inject(stubs, "shop-eu")
        assert reason(caught.value)[0] == "KILL_SWITCH_ENGAGED"
        assert "every_system" in str(caught.value.details())
    await app.stop()
    app = await start_server(systems=path, data=data)
    async with called(app) as stubs:
        assert all(one.kill_switch for one in (await listed(stubs)).values())
        assert not await lift(stubs, system="shop-eu")  # its own is off; the one above holds
        assert (await refused(inject(stubs, "shop-eu")))[1] == "KILL_SWITCH_ENGAGED"
        assert await lift(stubs, every_system=True)
        assert not await lift(stubs, every_system=True)
        await inject(stubs, "shop-eu")
        assert (await refused(inject(stubs, "shop-us")))[1] == "KILL_SWITCH_ENGAGED"
        assert await lift(stubs, system="shop-us")
        await inject(stubs, "shop-us")
        stopped = await stubs.chaos.StopChaos(
            chaos_service_pb2.StopChaosRequest(all=True, every_system=True)
        )
        assert len(stopped.stopped) == 2


async def test_a_system_that_is_added_outlives_a_restart_and_leaves_its_records(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"

    async def add(stubs: Stubs, entry: str) -> system_pb2.System:
        request = system_service_pb2.AddSystemRequest(entry=entry)
        return (await stubs.system.AddSystem(request)).system

    async def remove(stubs: Stubs, system: str) -> None:
        await stubs.system.RemoveSystem(system_service_pb2.RemoveSystemRequest(system=system))

    async def delete(stubs: Stubs, system: str) -> int:
        request = system_service_pb2.DeleteRecordsRequest(system=system)
        return int((await stubs.system.DeleteRecords(request)).records)

    app = await start_server(data=data)
    async with called(app) as stubs:
        entry = "id: game-day\nlabels: {team: shop}\nsource: {kind: simulation, speed: 20}"
        added = await add(stubs, entry)
        assert (added.id, added.added, dict(added.labels)) == ("game-day", True, {"team": "shop"})
        await state(stubs, "game-day", LIVE)
        assert (await stubs.snapshot()).system_id == "default"  # nothing changes for who is silent
        fault = await stubs.inject(
            system="game-day", target="database", kind="FAULT_KIND_CPU_SPIKE", duration="600s"
        )
        assert (await refused(add(stubs, entry)))[:2] == (
            grpc.StatusCode.ALREADY_EXISTS, "SYSTEM_EXISTS",
        )  # fmt: skip
        assert (await refused(remove(stubs, "default")))[1] == "SYSTEM_OF_FILE"
        assert (await refused(remove(stubs, "nothing")))[1] == "UNKNOWN_SYSTEM"
        assert (await refused(remove(stubs, "")))[1] == "INVALID_FIELD"
    await app.stop()
    app = await start_server(data=data)
    async with called(app) as stubs:
        found = await state(stubs, "game-day", LIVE)
        assert (found.added, dict(found.labels)) == (True, {"team": "shop"})
        assert (await refused(delete(stubs, "game-day")))[1] == "SYSTEM_IN_USE"
        stream = stubs.simulation.StreamMetrics(
            simulation_service_pb2.StreamMetricsRequest(system="game-day")
        )
        await stream.read()
        await remove(stubs, "game-day")
        with pytest.raises(grpc.aio.AioRpcError):
            await drained(stream)
        assert list(await listed(stubs)) == ["default"]
        await add(stubs, entry)
        await state(stubs, "game-day", LIVE)
        request = chaos_service_pb2.GetExperimentRequest(
            system="game-day", experiment_id=fault.experiment_id
        )
        kept = (await stubs.chaos.GetExperiment(request)).experiment
        assert kept.ended_by  # it did not outlive the run
        await remove(stubs, "game-day")
        assert await delete(stubs, "game-day") > 0
        assert await delete(stubs, "game-day") == 0


@pytest.mark.parametrize(
    ("entry", "field", "expected"),
    [
        ("", "entry", "an entry"),
        ("[", "entry", "YAML or JSON"),
        ("id: a", "entry.source", "a source of the kind"),
        ("id: A_b\nsource: {kind: simulation}", "entry.id", "a DNS label"),
        ("id: a\nsource: {kind: magic}", "entry.source.kind", "a source of the kind"),
        ("id: a\nsource: {kind: simulation, topology: /etc/passwd}", "entry.source.topology",
         "a shipped topology"),
        ("id: a\nsource: {kind: simulation, sped: 2}", "entry.source.sped", "did you mean 'speed'"),
        ("id: a\nsource: {kind: simulation, speed: .nan}", "entry.source.speed", "a number"),
        ("id: a\nlabels: {1: x}\nsource: {kind: simulation}", "entry.labels", "text as a key"),
        ("id: a\n2020-01-01: ~\nsource: {kind: simulation}", "entry", "text as a key"),
        ("id: !!timestamp x\nsource: {kind: simulation}", "entry", "tags"),
        ("id: a\nname: " + "x" * 129 + "\nsource: {kind: simulation}", "entry.name", "at most 128"),
        ("id: a\nlabels: {x: 1}\nsource: {kind: simulation}", "entry.labels.x", "a text"),
        ("id: a\ndefault: true\nsource: {kind: simulation}", "entry.default", "expected false"),
    ],
)  # fmt: skip
async def test_an_entry_that_cannot_be_used_is_refused_with_its_place(
    calls: Stubs, entry: str, field: str, expected: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls.system.AddSystem(system_service_pb2.AddSystemRequest(entry=entry))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = violations(caught.value)
    assert list(found) == [field]
    assert expected in found[field]
    assert list(await listed(calls)) == ["default"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("systems: []", "systems: expected a list of systems"),
        ("systems: 3", "systems: expected a list of systems"),
        ("[]", "systems: expected a list of systems"),
        ("systems: [{id: a}]", "systems[0].source: expected a source of the kind"),
        (TWO.replace("shop-us", "shop-eu"), "systems[1].id: expected a unique id"),
        (TWO.replace("source:", "default: true\n    source:"), "systems: expected at most one"),
        (TWO + "more: 1\n", "more: expected the key systems alone"),
        ("systems: [7]", "systems[0]: expected an entry"),
    ],
)
def test_a_systems_file_that_cannot_be_used_says_where(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = systems_file(tmp_path, text)
    with pytest.raises(DocumentError) as caught:
        read_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)


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
