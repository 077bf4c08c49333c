"""Incidents, alarms and error budgets over a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from server.app import App
from server.records import events
from sre_edge.v1 import (
    alarm_pb2,
    event_pb2,
    incident_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    slo_pb2,
)
from tests.conftest import StartServer
from tests.server.chaos_calls import KILL, RAMPED, tick
from tests.server.stubs import SERVICES, Stubs, reason, sharing

ListIncidents = incident_service_pb2.ListIncidentsRequest
ListSlos = incident_service_pb2.ListSlosRequest
StreamEvents = incident_service_pb2.StreamEventsRequest
ListAlarms = prediction_service_pb2.ListAlarmsRequest
Cursor = event_pb2.EventCursor


async def incidents(calls: Stubs, **wanted: Any) -> list[incident_pb2.Incident]:
    return list((await calls.incident.ListIncidents(ListIncidents(**wanted))).incidents)


async def test_a_fault_opens_an_incident_that_was_foretold_and_closes(
    still: App, calls: Stubs
) -> None:
    assert await incidents(calls) == []
    await calls.inject(**RAMPED)
    tick(still, 50)
    (opened,) = await incidents(calls)
    assert opened.state == incident_pb2.INCIDENT_STATE_OPEN
    assert not opened.HasField("end_time")
    tick(still, 8)
    (later,) = await incidents(calls, state=incident_pb2.INCIDENT_STATE_OPEN)
    assert later.services[0].last_breach_time.ToDatetime() > (
        opened.services[0].last_breach_time.ToDatetime()
    )
    tick(still, 80)
    (closed,) = await incidents(calls)
    assert closed.id == opened.id
    assert closed.ended_by == incident_pb2.INCIDENT_END_RECOVERED
    assert {one.service for one in closed.services} == set(SERVICES)
    assert closed.probable_origin == "database"
    assert closed.onset_time == closed.services[0].onset_time
    assert closed.foretold
    assert 4 <= closed.lead.seconds <= 60
    for one in closed.services:
        assert one.error_rate_percent.value > 50
        assert one.onset_time.ToDatetime() <= one.error_rate_percent.time.ToDatetime()
        assert one.error_rate_percent.time.ToDatetime() < one.last_breach_time.ToDatetime()
        calm = one.end_time.ToDatetime() - one.last_breach_time.ToDatetime()
        assert calm.total_seconds() == 30
    alarms = (await calls.prediction.ListAlarms(ListAlarms())).alarms
    told = {alarm.id: alarm for alarm in alarms}
    for one in closed.services:
        alarm = told[one.alarm_id]
        assert (alarm.service, alarm.lead) == (one.service, one.lead)
        assert alarm.outcome == alarm_pb2.ALARM_OUTCOME_FORETOLD
        ahead = one.onset_time.ToDatetime() - alarm.raise_time.ToDatetime()
        assert ahead == one.lead.ToTimedelta()


async def test_incidents_are_found_by_service_state_and_time(still: App, calls: Stubs) -> None:
    for _ in range(2):
        await calls.inject(**{**KILL, "duration": "20s"})
        tick(still, 100)
    newer, older = await incidents(calls)
    assert newer.onset_time.ToDatetime() > older.end_time.ToDatetime()
    assert await incidents(calls, service="database") == [newer, older]
    assert await incidents(calls, state=incident_pb2.INCIDENT_STATE_OPEN) == []
    assert await incidents(calls, start_time=older.end_time) == [newer]
    assert await incidents(calls, end_time=newer.onset_time) == [older]
    pages, token = [], ""
    for _ in range(2):
        answer = await calls.incident.ListIncidents(ListIncidents(page_size=1, page_token=token))
        pages += list(answer.incidents)
        token = answer.next_page_token
    assert (pages, token) == ([newer, older], "")


async def test_alarms_are_found_by_service_outcome_and_time(still: App, calls: Stubs) -> None:
    await calls.inject(**RAMPED)
    tick(still, 24)

    async def found(**wanted: Any) -> list[alarm_pb2.Alarm]:
        return list((await calls.prediction.ListAlarms(ListAlarms(**wanted))).alarms)

    pending = await found(outcome=alarm_pb2.ALARM_OUTCOME_PENDING)
    assert pending
    assert all(not alarm.HasField("end_time") and alarm.probability > 0 for alarm in pending)
    assert all(a.highest_probability >= a.probability for a in pending)
    tick(still, 100)
    assert await found(outcome=alarm_pb2.ALARM_OUTCOME_PENDING) == []
    everything = await found()
    assert [a.id for a in await found(service="database")] == [
        a.id for a in everything if a.service == "database"
    ]
    first = everything[-1].raise_time
    assert everything[-1] not in await found(start_time=Timestamp(seconds=first.seconds + 1))
    assert await found(end_time=first) == []
    answer = await calls.prediction.ListAlarms(ListAlarms(page_size=1))
    assert list(answer.alarms) == everything[:1]
    assert answer.next_page_token


async def test_a_burn_alerts_and_calm_clears(still: App, calls: Stubs) -> None:
    tick(still, 20)
    calm = await calls.incident.ListSlos(ListSlos())
    assert [one.service for one in calm.services] == SERVICES
    assert not any(slo.alerts for one in calm.services for slo in one.objectives)
    assert [(p.long_window.seconds, p.burn_rate) for p in calm.policies] == [
        (60, 14.4), (360, 6.0), (4320, 1.0),
    ]  # fmt: skip
    assert calm.budget_period.seconds == 43_200
    await calls.inject(**KILL)
    tick(still, 30)
    burning = await calls.incident.ListSlos(ListSlos(services=["database"], firing=True))
    (database,) = burning.services
    errors = {slo.objective: slo for slo in database.objectives}[slo_pb2.OBJECTIVE_ERROR_RATE]
    assert {alert.severity for alert in errors.alerts} == {
        slo_pb2.ALERT_SEVERITY_PAGE, slo_pb2.ALERT_SEVERITY_TICKET,
    }  # fmt: skip
    assert errors.burn_rates[0].long > 14.4
    assert errors.budget_left < 1
    tick(still, 1200)
    after = await calls.incident.ListSlos(ListSlos(firing=True))
    assert not after.services
    kinds = [event.kind for event in still.only.system.events.read(0, 10_000)[0]]
    fired = kinds.count(events.EventKind.SLO_ALERT_FIRED)
    assert fired == kinds.count(events.EventKind.SLO_ALERT_CLEARED) > 0


async def test_a_quiet_service_does_not_page(start_server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "quiet.yaml"
    path.write_text("services: [{name: web, ingress_rps: 0.1, dependencies: [db]}, {name: db}]")
    fired = {}
    for least_rps in (1.0, 0.0):
        app = await start_server(speed=0.1, topology=str(path), slo_min_rps=least_rps)
        async with grpc.aio.insecure_channel(app.address) as channel:
            calls = Stubs(channel)
            await calls.inject(
                target="db", kind="FAULT_KIND_ERROR_BURST", duration="300s", intensity=5
            )
            tick(app, 200)
            found = await calls.incident.ListSlos(ListSlos(firing=True))
        fired[least_rps] = [one.service for one in found.services]
    assert fired == {1.0: [], 0.0: ["web", "db"]}


@sharing
async def test_objectives_come_page_by_page(shared: Stubs) -> None:
    found, token = [], ""
    for _ in range(2):
        answer = await shared.incident.ListSlos(ListSlos(page_size=2, page_token=token))
        found += [one.service for one in answer.services]
        token = answer.next_page_token
    assert (found, token) == (SERVICES, "")


@sharing
@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (ListIncidents(page_size=-1), ["page_size"]),
        (ListIncidents(page_token="-3"), ["page_token"]),
        (ListIncidents(state=9), ["state"]),
        (ListIncidents(start_time=Timestamp(seconds=9), end_time=Timestamp(seconds=9)),
         ["end_time"]),
        (ListIncidents(start_time=Timestamp(seconds=2**60)), ["start_time"]),
        (ListAlarms(outcome=9), ["outcome"]),
        (ListAlarms(page_token="²"), ["page_token"]),
        (ListSlos(page_token="9" * 19), ["page_token"]),
        (StreamEvents(kinds=[0]), ["kinds"]),
        (StreamEvents(kinds=[99]), ["kinds"]),
    ],
)  # fmt: skip
async def test_what_is_impossible_names_the_field(
    shared: Stubs, request_: Any, fields: list[str]
) -> None:
    call: Any = {
        ListIncidents: shared.incident.ListIncidents, ListAlarms: shared.prediction.ListAlarms,
        ListSlos: shared.incident.ListSlos, StreamEvents: shared.incident.StreamEvents,
    }[type(request_)](request_)  # fmt: skip
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call.read() if type(request_) is StreamEvents else call)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value)[2] == fields


async def test_an_unknown_service_is_not_found(still: App, calls: Stubs) -> None:
    run = still.only.system.run.id
    future = StreamEvents(resume_after=Cursor(run_id=run, sequence=900))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls.incident.StreamEvents(future).read()
    assert reason(caught.value)[2] == ["resume_after.sequence"]
    for call in (
        calls.incident.ListIncidents(ListIncidents(service="databse")),
        calls.prediction.ListAlarms(ListAlarms(service="databse")),
        calls.incident.ListSlos(ListSlos(services=["databse"])),
        calls.incident.StreamEvents(StreamEvents(services=["databse"])).read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        assert reason(caught.value)[:2] == (
            "UNKNOWN_SERVICE", {"service": "databse", "known": ",".join(SERVICES)},
        )  # fmt: skip
