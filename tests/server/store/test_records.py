"""Incidents, alarms, experiments and events, kept on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import json
from concurrent.futures import wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.pipeline.budgets import SloSettings
from server.pipeline.snapshot import Status
from server.records.events import EventKind, LoggedEvent, ModelChange, RunStart, StatusChange
from server.records.experiments import (
    Breakage,
    BudgetSpent,
    Experiment,
    ExperimentEnd,
    ExperimentOutcome,
    ExperimentState,
    FaultEnd,
    InjectedFault,
)
from server.records.findings import (
    Alarm,
    AlarmOutcome,
    Incident,
    IncidentEnd,
    IncidentState,
    Objective,
    Peak,
    ServiceIncident,
    Severity,
    SloAlert,
)
from server.records.systems import DEFAULT_SYSTEM
from server.store import (
    Store,
    StoreLocation,
    events,
    experiments,
    incidents,
    open_store,
    systems,
)
from server.store.alarms import AlarmFilter
from server.store.documents import parsed, plain
from server.store.incidents import IncidentFilter
from server.systems.recorder import Changes
from server.systems.repository import Repository
from telemetry.faults import FaultKind

NOW = datetime(2030, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOCUMENTS = json.loads((Path(__file__).parent / "documents.json").read_text())


def incident(number: int, *services: str, ended: bool = False) -> Incident:
    onset = NOW + number * MINUTE
    end = onset + MINUTE if ended else None
    return Incident(
        id=f"i-run-{number}", run_id="run", number=number,
        state=IncidentState.CLOSED if ended else IncidentState.OPEN,
        closed_by=IncidentEnd.RECOVERED if ended else None, merged_into="",
        onset=onset, end=end, origin=services[0], lead_s=None,
        services=tuple(
            ServiceIncident(name, onset, onset + MINUTE / 2, end, Peak(50.0, onset), None, "a-1", 8)
            for name in services
        ),
    )  # fmt: skip


def alarm(number: int, service: str, outcome: AlarmOutcome) -> Alarm:
    return Alarm(
        f"a-run-{number}", "run", number, service, NOW + number * MINUTE, None, 0.5, 0.75,
        "service_down", "m-1", outcome, None,
    )  # fmt: skip


def experiment(number: int) -> Experiment:
    fault = InjectedFault(
        "f-1", f"x-run-{number}", "db", FaultKind.SERVICE_KILL, 60.0, 1.0, 0.0, 1.0, NOW,
        NOW + MINUTE,
    )  # fmt: skip
    spent = (BudgetSpent(Objective.LATENCY, 0.25),)
    broke = Breakage("db", NOW, NOW + MINUTE, False, ("f-1",), ("x-run-9",), "", None, spent)
    return Experiment(
        f"x-run-{number}", "run", number, "kill", False, ExperimentState.RUNNING, None, NOW, None,
        (fault,), ExperimentOutcome(broke=(broke,), alarm_ids=("a-1",), first_alarm_s=4.0),
    )  # fmt: skip


def event(sequence: int) -> LoggedEvent:
    change = StatusChange(Status.HEALTHY, Status.DOWN)
    return LoggedEvent(
        "run", sequence, NOW, EventKind.STATUS_CHANGED, NOW, ("db",), "db is down", change
    )


def keep(
    repository: Repository, *, kill_switch: bool = False, **changes: tuple[object, ...]
) -> None:
    kinds = ("incidents", "alarms", "experiments", "events")
    everything = {kind: changes.get(kind, ()) for kind in kinds}
    saved = repository.save(Changes(**everything, kill_switch=kill_switch))  # type: ignore[arg-type]
    wait([saved], 60.0)


RECORDS: dict[str, object] = {
    "incident": incident(1, "db", "web", ended=True),
    "alarm": alarm(3, "db", AlarmOutcome.LATE),
    "experiment": experiment(2),
    "fault": replace(experiment(2).faults[0], ended_by=FaultEnd.STOPPED),
    "slo_alert": SloAlert("db", Objective.ERROR_RATE, Severity.PAGE, True, NOW, 14.5),
    "status_change": StatusChange(Status.HEALTHY, Status.DOWN),
    "run_start": RunStart("default", 2**64 - 1),
    "model_change": ModelChange("m-2"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_the_same_as_a_document_and_back(name: str) -> None:
    record = RECORDS[name]
    assert parsed(type(record), json.loads(json.dumps(plain(record)))) == record


@pytest.mark.parametrize("name", RECORDS)
def test_documents_are_as_they_are_in_databases_that_exist(name: str) -> None:
    assert plain(RECORDS[name]) == DOCUMENTS[name]  # version 0.1 wrote them
    assert parsed(type(RECORDS[name]), DOCUMENTS[name]) == RECORDS[name]


def test_fields_that_are_not_known_are_passed_over_and_missing_ones_have_defaults() -> None:
    document = json.loads(json.dumps(DOCUMENTS["incident"]))
    document["colour"] = "red"
    document["services"][0]["colour"] = None
    assert parsed(Incident, document) == RECORDS["incident"]
    del document["services"][0]["alarm_id"]
    services = parsed(Incident, document).services
    assert [found.alarm_id for found in services] == ["", "a-1"]


def test_a_record_that_changes_is_kept_once_as_it_is_last(store: Store) -> None:
    repository = Repository(store, DEFAULT_SYSTEM)
    keep(repository, incidents=(incident(1, "db"), incident(2, "web")))
    keep(repository, incidents=(incident(1, "db", "web", ended=True),))
    page = repository.incidents(IncidentFilter(), None, 10)
    assert page.records == (incident(2, "web"), incident(1, "db", "web", ended=True))
    assert page.next_before is None


def test_incidents_are_found_by_service_state_and_time(store: Store) -> None:
    repository = Repository(store, DEFAULT_SYSTEM)
    kept = (
        incident(1, "db", ended=True),
        incident(2, "my-db", "web", ended=True),
        incident(5, "db"),
    )
    keep(repository, incidents=kept)

    def found(**wanted: object) -> tuple[int, ...]:
        page = repository.incidents(IncidentFilter(**wanted), None, 10)  # type: ignore[arg-type]
        return tuple(one.number for one in page.records)

    assert found(service="db") == (5, 1)
    assert found(service="web") == (2,)
    assert found(service="d") == found(service="%") == found(service="_b") == ()
    assert found(state=IncidentState.OPEN) == (5,)
    assert found(state=IncidentState.CLOSED) == (2, 1)
    assert found(since=NOW + 2 * MINUTE) == (5, 2)
    assert found(until=NOW + 2 * MINUTE) == (1,)


def test_alarms_are_found_by_service_outcome_and_time(store: Store) -> None:
    repository = Repository(store, DEFAULT_SYSTEM)
    kept = (alarm(1, "db", AlarmOutcome.FALSE), alarm(2, "web", AlarmOutcome.PENDING))
    keep(repository, alarms=kept)

    def found(**wanted: object) -> tuple[int, ...]:
        page = repository.alarms(AlarmFilter(**wanted), None, 10)  # type: ignore[arg-type]
        return tuple(one.number for one in page.records)

    assert found() == (2, 1)
    assert found(service="db") == found(outcome=AlarmOutcome.FALSE) == (1,)
    assert found(since=NOW + 2 * MINUTE) == (2,)
    assert found(until=NOW + 2 * MINUTE) == (1,)


def test_pages_follow_one_another_whatever_is_added(store: Store) -> None:
    repository = Repository(store, DEFAULT_SYSTEM)
    keep(repository, experiments=tuple(experiment(n) for n in range(1, 6)))
    found, before = [], None
    for added in (6, 7, 8):
        page = repository.experiments(before, 2)
        found += [one.number for one in page.records]
        before = page.next_before
        keep(repository, experiments=(experiment(added),))
    assert found == [5, 4, 3, 2, 1]
    assert before is None


def test_what_a_server_left_open_is_closed_by_the_next(where: StoreLocation) -> None:
    store = open_store(where)
    keep(
        Repository(store, DEFAULT_SYSTEM), incidents=(incident(1, "db"),),
        experiments=(experiment(1),), alarms=(alarm(1, "db", AlarmOutcome.PENDING),),
        events=(event(1), event(2)), kill_switch=True,
    )  # fmt: skip
    store.close()
    store = open_store(where)
    assert store.ask(systems.end_runs) == 3
    repository = Repository(store, DEFAULT_SYSTEM)
    keeping = repository.open(SloSettings())
    (left,) = repository.incidents(IncidentFilter(), None, 10).records
    assert (left.state, left.closed_by) == (IncidentState.CLOSED, IncidentEnd.RUN_ENDED)
    assert left.end == left.services[0].last_breach
    (undecided,) = repository.alarms(AlarmFilter(), None, 10).records
    assert undecided.outcome is AlarmOutcome.RUN_ENDED
    watched = repository.experiment("x-run-1")
    assert watched is not None
    assert watched.ended_by is ExperimentEnd.RUN_ENDED
    assert watched.faults[0].ended_by is FaultEnd.RUN_ENDED
    assert watched.outcome == experiment(1).outcome
    assert repository.experiment("x-run-2") is None
    assert keeping.kill_switch.engaged
    assert keeping.log.read(0, 10)[0] == [event(1), event(2)]
    store.close()


def test_a_kill_switch_that_could_not_be_written_is_written_with_what_comes_next(
    store: Store,
) -> None:
    repository = Repository(store, DEFAULT_SYSTEM)
    store.ask(lambda connection: connection.exec_driver_sql("ALTER TABLE kill_switch RENAME TO k"))
    keep(repository, events=(event(1),), kill_switch=True)
    assert store.lost == 1
    store.ask(lambda connection: connection.exec_driver_sql("ALTER TABLE k RENAME TO kill_switch"))
    keep(repository, events=(event(2),), kill_switch=True)
    assert Repository(store, DEFAULT_SYSTEM).open(SloSettings()).kill_switch.engaged


def test_the_oldest_are_dropped_beyond_the_limit(store: Store, monkeypatch: object) -> None:
    for kind in (incidents, experiments, events):
        monkeypatch.setattr(kind, "MAX_RECORDS", 3)  # type: ignore[attr-defined]
    repository = Repository(store, DEFAULT_SYSTEM)
    keep(repository, experiments=tuple(experiment(n) for n in range(1, 6)),
         incidents=tuple(incident(n, "db") for n in range(1, 6)),
         events=tuple(event(n) for n in range(1, 6)))  # fmt: skip

    def prune() -> None:
        for kind in (incidents, experiments, events):
            store.ask(lambda c, kind=kind: kind.drop_old(c, DEFAULT_SYSTEM))  # type: ignore[misc]

    prune()
    prune()
    assert [one.number for one in repository.experiments(None, 10).records] == [5, 4, 3]
    assert [one.number for one in repository.incidents(IncidentFilter(), None, 9).records] == [
        5,
        4,
        3,
    ]
    assert [one.sequence for one in store.read(lambda c: events.latest(c, DEFAULT_SYSTEM))] == [
        3,
        4,
        5,
    ]
    again = replace(experiment(5), name="again")
    keep(repository, experiments=(again,))
    assert repository.experiments(None, 1).records == (again,)
