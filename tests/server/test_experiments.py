"""Experiments: what was injected, what it led to, stops that restore, and the kill switch."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from server.app import App
from sre_edge.v1 import chaos_service_pb2 as pb
from sre_edge.v1 import experiment_pb2, fault_pb2, simulation_service_pb2, snapshot_pb2
from tests.conftest import StartServer
from tests.server.chaos_calls import KILL, LEAK, RAMPED, experiment, stop, tick
from tests.server.stubs import Stubs, reason


async def test_a_ramped_kill_is_foretold_breaks_all_and_is_told_in_the_end(
    still: App, calls: Stubs
) -> None:
    tick(still, 10)
    fault = await calls.inject(**RAMPED)
    begun = await experiment(calls, fault.experiment_id)
    assert begun.state == experiment_pb2.EXPERIMENT_STATE_RUNNING
    assert begun.faults == [fault]
    assert begun.name == "service kill on database"
    assert begun.start_time == fault.start_time
    tick(still, 90)
    amid = await experiment(calls, fault.experiment_id)
    assert amid.state == experiment_pb2.EXPERIMENT_STATE_RECOVERING
    assert amid.faults[0].ended_by == fault_pb2.FAULT_END_OVER
    tick(still, 60)
    done = await experiment(calls, fault.experiment_id)
    assert done.state == experiment_pb2.EXPERIMENT_STATE_FINISHED
    assert done.ended_by == experiment_pb2.EXPERIMENT_END_COMPLETED
    found = done.outcome
    assert {one.service for one in found.broke} == {
        "api-gateway", "auth-service", "user-service", "database",
    }  # fmt: skip
    onsets = [one.onset_time.ToDatetime() for one in found.broke]
    assert onsets == sorted(onsets)
    assert all(one.recovered and list(one.fault_ids) == [fault.id] for one in found.broke)
    assert found.foretold
    assert 4 <= found.lead.seconds <= 60
    first_s = (onsets[0] - fault.start_time.ToDatetime()).total_seconds()
    assert found.time_to_first_alarm.seconds + found.lead.seconds <= first_s
    assert 0 < found.time_to_recover.seconds < 60
    assert 0 < found.error_budget_spent < 5
    spent = {b.objective: b.share for one in found.broke for b in one.error_budgets}
    assert max(spent.values()) <= found.error_budget_spent


async def test_a_harmless_fault_breaks_nothing(still: App, calls: Stubs) -> None:
    fault = await calls.inject(
        target="database", kind="FAULT_KIND_CPU_SPIKE", duration="30s", intensity=0.1
    )
    tick(still, 100)
    done = await experiment(calls, fault.experiment_id)
    assert done.state == experiment_pb2.EXPERIMENT_STATE_FINISHED
    assert done.outcome.broken == 0
    assert not done.outcome.HasField("time_to_recover")


async def test_experiments_at_the_same_time_say_what_they_share(still: App, calls: Stubs) -> None:
    killed = await calls.inject(**KILL)
    burst = await calls.inject(
        target="auth-service", kind="FAULT_KIND_ERROR_BURST", duration="60s", intensity=4
    )
    assert killed.experiment_id != burst.experiment_id
    tick(still, 40)
    first = (await experiment(calls, killed.experiment_id)).outcome
    second = (await experiment(calls, burst.experiment_id)).outcome
    of_first = {one.service: one for one in first.broke}
    of_second = {one.service: one for one in second.broke}
    assert list(of_first["api-gateway"].also_under) == [burst.experiment_id]
    assert list(of_second["auth-service"].also_under) == [killed.experiment_id]
    assert not of_first["database"].also_under


async def test_services_without_a_call_between_them_belong_to_their_own_experiment(
    start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "services: [{name: web, dependencies: [db]}, {name: db},"
        " {name: jobs, dependencies: [queue]}, {name: queue}]"
    )
    app = await start_server(speed=0.1, topology=str(path))
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        one = await calls.inject(**{**KILL, "target": "db"})
        other = await calls.inject(**{**KILL, "target": "queue"})
        tick(app, 40)
        found = [await experiment(calls, fault.experiment_id) for fault in (one, other)]
    assert [{b.service for b in x.outcome.broke} for x in found] == [
        {"web", "db"}, {"jobs", "queue"},
    ]  # fmt: skip
    assert not any(b.also_under for x in found for b in x.outcome.broke)


async def test_each_way_to_stop_restores(still: App, calls: Stubs) -> None:
    healthy = snapshot_pb2.STATUS_HEALTHY

    async def ill() -> bool:
        return any(one.status != healthy for one in (await calls.snapshot()).services)

    for way in ("fault_id", "experiment_id", "all", "kill_switch"):
        fault = await calls.inject(**KILL)
        tick(still, 20)
        assert await ill()
        named = {"fault_id": fault.id, "experiment_id": fault.experiment_id}
        stopped = await stop(calls, **{way: named.get(way, True)})
        assert [one.id for one in stopped] == [fault.id]
        assert stopped[0].ended_by == fault_pb2.FAULT_END_STOPPED
        assert stopped[0].end_time.ToDatetime() < fault.end_time.ToDatetime()
        tick(still, 60)
        assert not await ill(), way
        assert not (await calls.snapshot()).active_faults
        tick(still, 60)
        done = await experiment(calls, fault.experiment_id)
        assert done.ended_by == experiment_pb2.EXPERIMENT_END_STOPPED


async def test_the_kill_switch_blocks_until_it_is_lifted_over_resets_and_restarts(
    start_server: StartServer, tmp_path: Path
) -> None:
    app = await start_server(speed=0.1, data=tmp_path / "kept")
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        await calls.inject(**KILL)
        assert len(await stop(calls, kill_switch=True)) == 1
        assert await stop(calls, kill_switch=True) == []
        await calls.simulation.Reset(simulation_service_pb2.ResetRequest())
        assert (await calls.snapshot()).kill_switch
        for refused in (
            calls.inject(**KILL),
            calls.chaos.RunScenario(pb.RunScenarioRequest(document=LEAK)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refused
            assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
            assert reason(caught.value)[0] == "KILL_SWITCH_ENGAGED"
    await app.stop()
    app = await start_server(speed=0.1, data=tmp_path / "kept")
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        assert (await calls.snapshot()).kill_switch
        lift = pb.LiftKillSwitchRequest()
        assert (await calls.chaos.LiftKillSwitch(lift)).lifted
        assert not (await calls.chaos.LiftKillSwitch(lift)).lifted
        await calls.inject(**KILL)
        tick(app, 2)
        snapshot = await calls.snapshot()
        assert len(snapshot.active_faults) == 1
        assert not snapshot.kill_switch


async def test_a_request_that_is_sent_again_injects_nothing_more(still: App, calls: Stubs) -> None:
    first = await calls.inject(**KILL, request_id="game-day")
    tick(still, 4)
    assert await calls.inject(**KILL, request_id="game-day") == first
    assert len((await calls.snapshot()).active_faults) == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls.inject(**{**KILL, "duration": "61s"}, request_id="game-day")
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert reason(caught.value)[:2] == ("REQUEST_ID_REUSED", {"request_id": "game-day"})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls.inject(**KILL, request_id="x" * 129)
    assert reason(caught.value)[2] == ["request_id"]
    # A request that was refused leaves its identifier free.
    with pytest.raises(grpc.aio.AioRpcError):
        await calls.inject(**{**KILL, "duration": "0s"}, request_id="other")
    other = await calls.inject(**KILL, request_id="other")
    assert other.id != first.id


async def test_what_is_not_there_is_not_found(calls: Stubs) -> None:
    for call in (
        calls.chaos.GetExperiment(pb.GetExperimentRequest(experiment_id="x-1")),
        calls.chaos.StopChaos(pb.StopChaosRequest(experiment_id="x-1")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        assert reason(caught.value)[:2] == ("UNKNOWN_EXPERIMENT", {"experiment_id": "x-1"})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls.chaos.StopChaos(pb.StopChaosRequest(kill_switch=False))
    assert reason(caught.value)[2] == ["which"]


async def test_lists_come_page_by_page_the_newest_first(calls: Stubs) -> None:
    made = [(await calls.inject(**KILL)).experiment_id for _ in range(5)]
    found, token = [], ""
    for size in (2, 2, 1):
        answer = await calls.chaos.ListExperiments(
            pb.ListExperimentsRequest(page_size=2, page_token=token)
        )
        assert len(answer.experiments) == size
        found += [one.id for one in answer.experiments]
        token = answer.next_page_token
        await calls.inject(**KILL)  # what is added meanwhile changes no page
    assert found == made[::-1]
    assert token == ""
    for wrong, field in (({"page_size": -1}, "page_size"), ({"page_token": "x"}, "page_token")):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await calls.chaos.ListExperiments(pb.ListExperimentsRequest(**wrong))
        assert reason(caught.value)[2] == [field]


async def test_a_reset_and_a_restart_end_what_goes_on_and_lose_nothing(
    start_server: StartServer, tmp_path: Path
) -> None:
    app = await start_server(speed=0.1, data=tmp_path / "kept")
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        first = await calls.inject(**KILL)
        tick(app, 20)
        await calls.simulation.Reset(simulation_service_pb2.ResetRequest())
        ended = await experiment(calls, first.experiment_id)
        second = await calls.inject(**KILL)
        tick(app, 20)
    assert ended.ended_by == experiment_pb2.EXPERIMENT_END_RUN_ENDED
    assert ended.faults[0].ended_by == fault_pb2.FAULT_END_RUN_ENDED
    assert ended.outcome.broken >= 3
    await app.stop()
    app = await start_server(speed=0.1, data=tmp_path / "kept")
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        assert await experiment(calls, first.experiment_id) == ended
        after = await experiment(calls, second.experiment_id)
    assert after.ended_by == experiment_pb2.EXPERIMENT_END_RUN_ENDED
    assert after.outcome.broken >= 3
