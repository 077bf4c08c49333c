"""Scenarios on the live system: parsed, checked, and run as one experiment."""

from __future__ import annotations

import grpc
import pytest

from server.app import App
from server.experiments import idempotency
from sre_edge.v1 import chaos_service_pb2 as pb
from sre_edge.v1 import experiment_pb2, snapshot_pb2
from tests.conftest import StartServer
from tests.server.chaos_calls import KILL, LEAK, experiment, stop, tick
from tests.server.stubs import Stubs, reason, sharing, violations


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


async def test_the_longer_an_answer_the_fewer_are_remembered(
    still: App, calls: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_REMEMBERED_FAULTS", 3)
    scenario = pb.RunScenarioRequest(document=LEAK, request_id="two faults")
    first = await calls.chaos.RunScenario(scenario)
    one = await calls.inject(**KILL, request_id="one")
    assert await calls.chaos.RunScenario(scenario) == first
    await calls.inject(**KILL, request_id="another")
    assert await calls.inject(**KILL, request_id="one") == one
    assert await calls.chaos.RunScenario(scenario) != first
    assert still.only.system.unfinished_experiments()


async def test_a_scenario_can_be_stopped_before_all_of_it_began(still: App, calls: Stubs) -> None:
    answer = await calls.chaos.RunScenario(pb.RunScenarioRequest(document=LEAK))
    tick(still, 14)
    stopped = await stop(calls, experiment_id=answer.experiment.id)
    assert [fault.target for fault in stopped] == ["database", "auth-service"]
    tick(still, 60)
    taken = await calls.snapshot()
    assert not taken.active_faults
    assert all(one.status == snapshot_pb2.STATUS_HEALTHY for one in taken.services)


@sharing
@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("", ["document", "document"]),
        ("{", ["document"]),
        ("[]", ["document"]),
        (r'{"\ud800": 1}', ["document"]),
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
    shared: Stubs, document: str, fields: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shared.chaos.RunScenario(pb.RunScenarioRequest(document=document))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value)[2] == fields
    assert all("expected" in text for text in violations(caught.value).values())
    listed = await shared.chaos.ListExperiments(pb.ListExperimentsRequest())
    assert not listed.experiments


async def test_waiting_faults_count_against_the_limit(start_server: StartServer) -> None:
    app = await start_server(speed=0.1, max_faults=2)
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        await calls.chaos.RunScenario(pb.RunScenarioRequest(document=LEAK))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await calls.inject(**KILL)
        assert reason(caught.value)[:2] == ("TOO_MANY_FAULTS", {"limit": "2"})
