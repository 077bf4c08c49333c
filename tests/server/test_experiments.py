"""Experiments: what was injected, what it led to, stops that restore, and the kill switch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from server.app import App
from sre_edge.v1 import chaos_service_pb2 as pb
from sre_edge.v1 import experiment_pb2, fault_pb2, simulation_service_pb2, snapshot_pb2
from tests.conftest import StartServer
from tests.server.stubs import Stubs, reason, violations

KILL = {"target": "database", "kind": "FAULT_KIND_SERVICE_KILL", "duration": "60s"}


@pytest_asyncio.fixture
async def still(start_server: StartServer) -> App:
    """A server whose time passes when a test says so."""
    return await start_server(speed=0.1)


@pytest_asyncio.fixture
async def calls(still: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(still.address) as channel:
        yield Stubs(channel)


def tick(app: App, seconds: float) -> None:
    for _ in range(round(seconds / 2.0)):
        app.engine.tick()


async def experiment(calls: Stubs, experiment_id: str) -> experiment_pb2.Experiment:
    request = pb.GetExperimentRequest(experiment_id=experiment_id)
    return (await calls.chaos.GetExperiment(request)).experiment


async def stop(calls: Stubs, **which: Any) -> list[fault_pb2.Fault]:
    return list((await calls.chaos.StopChaos(pb.StopChaosRequest(**which))).stopped)


async def test_a_ramped_kill_is_foretold_breaks_all_and_is_told_in_the_end(
    still: App, calls: Stubs
) -> None:
    tick(still, 10)
    fault = await calls.inject(**{**KILL, "ramp": "50s"})
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
        taken = await calls.snapshot()
        assert len(taken.active_faults) == 1
        assert not taken.kill_switch


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


LEAK = """
- name: game-day
  seconds: 120
  faults:
  - {target: auth-service, kind: error_burst, start_s: 40, duration_s: 30, intensity: 4}
  - {target: database, kind: service_kill, start_s: 10, duration_s: 20}
"""


async def test_a_scenario_runs_from_now_on_as_one_experiment(still: App, calls: Stubs) -> None:
    before = await calls.snapshot()
    answer = await calls.chaos.RunScenario(pb.RunScenarioRequest(document=LEAK, request_id="r"))
    again = await calls.chaos.RunScenario(pb.RunScenarioRequest(document=LEAK, request_id="r"))
    assert again == answer
    begun = answer.experiment
    assert (begun.name, begun.scenario) == ("game-day", True)
    assert [fault.target for fault in begun.faults] == ["database", "auth-service"]
    now = before.time.ToDatetime()
    starts = [(f.start_time.ToDatetime() - now).total_seconds() for f in begun.faults]
    assert starts == [12.0, 42.0]
    tick(still, 4)
    assert not (await calls.snapshot()).active_faults
    tick(still, 10)
    assert [f.target for f in (await calls.snapshot()).active_faults] == ["database"]
    tick(still, 36)
    assert [f.target for f in (await calls.snapshot()).active_faults] == ["auth-service"]
    tick(still, 150)
    done = await experiment(calls, begun.id)
    assert done.state == experiment_pb2.EXPERIMENT_STATE_FINISHED
    by_fault = {tuple(one.fault_ids) for one in done.outcome.broke}
    assert (begun.faults[0].id,) in by_fault


async def test_a_scenario_can_be_stopped_before_all_of_it_began(still: App, calls: Stubs) -> None:
    answer = await calls.chaos.RunScenario(pb.RunScenarioRequest(document=LEAK))
    tick(still, 14)
    stopped = await stop(calls, experiment_id=answer.experiment.id)
    assert [fault.target for fault in stopped] == ["database", "auth-service"]
    tick(still, 60)
    taken = await calls.snapshot()
    assert not taken.active_faults
    assert all(one.status == snapshot_pb2.STATUS_HEALTHY for one in taken.services)


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("", ["document", "document"]),
        ("{", ["document"]),
        ("[]", ["document"]),
        ("- {name: a, seconds: 60}", ["document[0].faults"]),
        ("- {name: a, faults: [{target: database, kind: cpu_spike, duration_s: 5}]}",
         ["document[0].seconds"]),
        ("- {seconds: 60, faults: [{target: databse, kind: cpu_spike, duration_s: 5}]}",
         ["document[0].faults[0].target"]),
        ("- {seconds: 60, faults: [{target: database, kind: cpu_spik, duration_s: 5}]}",
         ["document[0].faults[0].kind"]),
        ("- {seconds: 9999, faults: [{target: database, kind: cpu_spike, duration_s: 3601,"
         " intensity: 11}]}", ["document[0].faults[0].duration_s",
                               "document[0].faults[0].intensity"]),
        ("- {seconds: 60, load: {scale: 2}, faults: [{target: database, kind: cpu_spike,"
         " duration_s: 5}]}", ["document[0].load"]),
        ("- {seconds: 60, faults: [{target: database, kind: cpu_spike, duration_s: 5,"
         " start_s: 61}]}", ["document[0].faults[0].start_s"]),
        (f"{LEAK}{LEAK}", ["document"]),
        ("#" * 65_537, ["document"]),
    ],
)  # fmt: skip
async def test_a_wrong_scenario_names_the_place_and_injects_nothing(
    calls: Stubs, document: str, fields: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls.chaos.RunScenario(pb.RunScenarioRequest(document=document))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value)[2] == fields
    assert all("expected" in text for text in violations(caught.value).values())
    listed = await calls.chaos.ListExperiments(pb.ListExperimentsRequest())
    assert not listed.experiments


async def test_waiting_faults_count_against_the_limit(start_server: StartServer) -> None:
    app = await start_server(speed=0.1, max_faults=2)
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        await calls.chaos.RunScenario(pb.RunScenarioRequest(document=LEAK))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await calls.inject(**KILL)
        assert reason(caught.value)[:2] == ("TOO_MANY_FAULTS", {"limit": "2"})


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
