"""Services and calls come and go while a run goes on: from any source, up to the wire."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
import pytest_asyncio

from server.app import App
from server.sources.scripted import ScriptedFactory, ScriptedFrame
from sre_edge.v1 import (
    alarm_pb2,
    event_pb2,
    experiment_pb2,
    incident_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
)
from telemetry.graph import ServiceGraph
from tests.conftest import StartServer
from tests.server.chaos_calls import experiment
from tests.server.pipeline.frames import FAILING, frame, graph, system
from tests.server.stubs import Stubs, drained, reason

BEFORE = graph()
AFTER = system({"price": ["store"], "cart": ["store", "price"], "store": [], "edge": ["cart"]})
PAST, CHANGE, RECOVERY, END = 60, 100, 130, 300
BREAKS = CHANGE - 20


def shown(number: int) -> ScriptedFrame:
    """Store and mail fail 20 frames before the change; the store recovers 30 after it."""
    at: ServiceGraph = BEFORE if number < CHANGE else AFTER
    failing = {"store", "mail"} if BREAKS <= number < RECOVERY else set()
    values = dict.fromkeys(failing & set(at.names), FAILING)
    return ScriptedFrame(at, frame(number, values, at.names, at.edges))


SCRIPT = ScriptedFactory(tuple(map(shown, range(END))), past=PAST)


@pytest_asyncio.fixture
async def app(start_server: StartServer) -> App:
    return await start_server(SCRIPT, speed=0.1)


@pytest_asyncio.fixture
async def calls(app: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(app.address) as channel:
        yield Stubs(channel)


async def tick(app: App, until: int) -> None:
    """Go on until a frame of the script was shown."""
    while app.only.system.latest.frame.t_s < 2.0 * until:
        await app.only.broadcaster.publish(app.only.system.tick())


async def incidents(calls: Stubs) -> dict[str, incident_pb2.Incident]:
    request = incident_service_pb2.ListIncidentsRequest()
    found = (await calls.incident.ListIncidents(request)).incidents
    return {one.services[0].service: one for one in found}


async def test_the_run_goes_on_and_says_what_it_is_of(app: App, calls: Stubs) -> None:
    await tick(app, CHANGE - 1)
    before = await calls.snapshot()
    assert before.topology_sequence == 0
    await tick(app, CHANGE)
    after = await calls.snapshot()
    assert after.cursor.run_id == before.cursor.run_id
    assert after.cursor.sequence == before.cursor.sequence + 1 == after.topology_sequence
    assert [one.service for one in after.services] == list(AFTER.names)
    assert all(one.HasField("prediction") for one in after.services)
    answer = await calls.simulation.GetTopology(simulation_service_pb2.GetTopologyRequest())
    assert answer.topology_sequence == after.topology_sequence
    assert [service.name for service in answer.topology.services] == list(AFTER.names)
    calls_of = {s.name: [d.service for d in s.dependencies] for s in answer.topology.services}
    assert calls_of["cart"] == ["store", "price"]
    events = app.only.system.events.read(0, 1000)[0]
    (change,) = [one for one in events if one.kind == "topology_changed"]
    assert (change.services, change.text) == (
        ("price", "mail"),
        "price was added; mail was removed",
    )


async def test_what_is_open_goes_on_and_what_is_gone_is_closed(app: App, calls: Stubs) -> None:
    await tick(app, CHANGE - 1)
    open_before = await incidents(calls)
    assert set(open_before) == {"store", "mail"}
    await tick(app, CHANGE + 2)
    after = await incidents(calls)
    assert after["store"].id == open_before["store"].id
    assert after["store"].onset_time == open_before["store"].onset_time
    assert after["store"].state == incident_pb2.INCIDENT_STATE_OPEN
    assert after["mail"].ended_by == incident_pb2.INCIDENT_END_SERVICE_REMOVED
    await tick(app, RECOVERY + 20)
    done = (await incidents(calls))["store"]
    assert done.ended_by == incident_pb2.INCIDENT_END_RECOVERED
    assert done.end_time.seconds - done.onset_time.seconds == 2 * (RECOVERY - BREAKS + 15)


async def test_budgets_and_alarms_go_with_their_services(app: App, calls: Stubs) -> None:
    await tick(app, CHANGE - 1)
    spent = app.only.system.findings.budgets.counted[0, 1, BEFORE.index["store"]]
    assert spent > 0.0
    await tick(app, CHANGE)
    counted = app.only.system.findings.budgets.counted[0, 1]
    assert counted[AFTER.index["store"]] == spent + FAILING["failed_count"]
    assert counted[AFTER.index["price"]] == 0.0
    request = prediction_service_pb2.ListAlarmsRequest()
    alarms = (await calls.prediction.ListAlarms(request)).alarms
    pending = {one.service for one in alarms if one.outcome == alarm_pb2.ALARM_OUTCOME_PENDING}
    assert "mail" not in pending


async def test_the_past_is_shown_as_far_as_somebody_was_there(app: App, calls: Stubs) -> None:
    await tick(app, CHANGE + 9)
    request = simulation_service_pb2.QueryHistoryRequest(metrics=["cpu_percent"], max_points=2000)
    answer = await calls.simulation.QueryHistory(request)
    values = {one.service: np.array(one.mean) for one in answer.series}
    assert set(values) == set(AFTER.names)
    assert np.isfinite(values["store"]).all()
    assert np.isnan(values["price"][:-10]).all()
    assert np.isfinite(values["price"][-10:]).all()


async def test_streams_go_on_but_for_who_wants_what_is_gone(app: App, calls: Stubs) -> None:
    everything = calls.simulation.StreamMetrics(simulation_service_pb2.StreamMetricsRequest())
    gone = calls.simulation.StreamMetrics(
        simulation_service_pb2.StreamMetricsRequest(services=["mail"])
    )
    for stream in (everything, gone):
        assert (await stream.read()).HasField("snapshot")
    read: list[snapshot_pb2.Snapshot] = []
    while not read or read[-1].topology_sequence == 0:
        await app.only.broadcaster.publish(app.only.system.tick())
        message = await everything.read()
        if message.HasField("snapshot"):
            read.append(message.snapshot)
        assert not message.HasField("gap")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await drained(gone)
    assert reason(ended.value)[0] == "UNKNOWN_SERVICE"


async def test_an_experiment_goes_on_and_keeps_what_broke(app: App, calls: Stubs) -> None:
    await tick(app, BREAKS - 1)
    kill = {"kind": "FAULT_KIND_SERVICE_KILL", "duration": "60s"}
    fault = await calls.inject(target="store", **kill)
    await calls.inject(target="mail", **kill)
    await tick(app, CHANGE + 3)
    (first, second) = app.only.system.unfinished_experiments()
    assert fault.experiment_id == first.id
    going = await experiment(calls, first.id)
    assert [one.service for one in going.outcome.broke] == ["store"]
    assert not going.outcome.broke[0].recovered
    await tick(app, RECOVERY + 60)
    done = await experiment(calls, first.id)
    assert done.state == experiment_pb2.EXPERIMENT_STATE_FINISHED
    assert done.outcome.broke[0].recovered
    other = await experiment(calls, second.id)
    assert [one.service for one in other.outcome.broke] == ["mail"]
    assert not other.outcome.broke[0].recovered


async def test_an_event_tells_a_client_what_came_and_went(app: App, calls: Stubs) -> None:
    kinds = [event_pb2.EVENT_KIND_TOPOLOGY_CHANGED]
    stream = calls.incident.StreamEvents(incident_service_pb2.StreamEventsRequest(kinds=kinds))
    assert (await stream.read()).HasField("position")
    await tick(app, CHANGE)
    event = (await stream.read()).event
    assert list(event.topology_change.added) == ["price"]
    assert list(event.topology_change.removed) == ["mail"]
    stream.cancel()


async def test_a_source_that_cannot_is_refused(start_server: StartServer) -> None:
    only_frames = ScriptedFactory(SCRIPT.script, past=PAST, faults=False, labels=False)
    app = await start_server(only_frames, speed=0.1)
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await calls.inject(target="store", kind="FAULT_KIND_SERVICE_KILL", duration="9s")
        assert reason(refused.value)[0] == "NOT_SUPPORTED_BY_SOURCE"
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        request = simulation_service_pb2.ResetRequest(topology="services: [{name: a}]")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await calls.simulation.Reset(request)
        assert reason(refused.value)[0] == "NOT_SUPPORTED_BY_SOURCE"
        assert (await calls.simulation.Reset(simulation_service_pb2.ResetRequest())).run_id
        assert math.isfinite((await calls.snapshot()).services[0].cpu_percent)


async def test_who_resumes_from_before_gets_what_was_there(app: App, calls: Stubs) -> None:
    await tick(app, CHANGE - 3)
    cursor = (await calls.snapshot()).cursor
    await tick(app, CHANGE + 2)
    request = simulation_service_pb2.StreamMetricsRequest(
        services=["price", "store"], resume_after=cursor
    )
    stream = calls.simulation.StreamMetrics(request)
    names = [{one.service for one in (await stream.read()).snapshot.services} for _ in range(5)]
    assert names == [{"store"}, {"store"}, *[{"price", "store"}] * 3]
    stream.cancel()
