"""Several systems in one server: each on its own; some come and go by calls."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.store import systems
from sre_edge.v1 import (
    chaos_service_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    system_pb2,
    system_service_pb2,
)
from tests.conftest import StartServer
from tests.server.model_calls import called, refused
from tests.server.stubs import Stubs, drained, reason
from tests.server.systems import LIVE, TWO, add, listed, remove, state, systems_file


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


async def test_an_added_system_that_the_systems_file_has_replaced_can_be_forgotten(
    start_server: StartServer, tmp_path: Path
) -> None:
    data, entry = tmp_path / "data", "id: shop-us\nsource: {kind: simulation, speed: 20}"
    app = await start_server(data=data)
    async with called(app) as stubs:
        await add(stubs, entry)
    await app.stop()
    app = await start_server(systems=systems_file(tmp_path), data=data)
    async with called(app) as stubs:
        assert not (await state(stubs, "shop-us", LIVE)).added
        assert await remove(stubs, "shop-us")  # the added one; that of the file goes on
        assert (await listed(stubs))["shop-us"].state == LIVE
        assert (await refused(remove(stubs, "shop-us")))[1] == "SYSTEM_OF_FILE"
    await app.stop()
    app = await start_server(data=data)
    async with called(app) as stubs:
        assert list(await listed(stubs)) == ["default"]


async def test_an_added_system_that_cannot_be_used_any_more_can_be_forgotten(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    app = await start_server(data=data)
    stated = {"id": "odd", "source": {"kind": "of-another-version"}}
    app.store.ask(lambda c: systems.add(c, "odd", stated, datetime.now(UTC)))
    await app.stop()
    app = await start_server(data=data)
    async with called(app) as stubs:
        assert list(await listed(stubs)) == ["default"]
        assert not await remove(stubs, "odd")
        assert (await refused(remove(stubs, "odd")))[1] == "UNKNOWN_SYSTEM"
    assert app.store.read(systems.entries) == []
