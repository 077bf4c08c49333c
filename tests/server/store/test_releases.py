"""Databases of released versions are opened; documents of other versions are read or refused."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from server.pipeline.budgets import SloSettings
from server.records.experiments import ExperimentEnd, ExperimentState
from server.records.findings import AlarmOutcome, IncidentState
from server.records.systems import DEFAULT_SYSTEM, EVERY_SYSTEM
from server.store import (
    Store,
    StoreLocation,
    StoreLocationError,
    activations,
    alarms,
    events,
    incidents,
    kill_switch,
    learned_examples,
    locate,
    open_store,
    systems,
    trainings,
)
from server.store.alarms import AlarmFilter
from server.store.documents import RecordError, parsed, plain
from server.store.incidents import IncidentFilter
from server.store.schema import events as schema_events
from server.store.schema import incidents as schema_incidents
from server.store.trainings import TrainingState
from server.systems.repository import Repository
from tests.server.store.test_records import event, incident

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.sqlite3.gz"))


def unpacked(release: Path, data: Path) -> Path:
    data.mkdir()
    file = data / "store.sqlite3"
    file.write_bytes(gzip.decompress(release.read_bytes()))
    return file


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def test_there_is_one_of_every_release() -> None:
    assert [path.name for path in RELEASES] == ["0.1.0.sqlite3.gz"]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_the_database_of_a_release_is_read_and_can_be_gone_back_to(
    release: Path, tmp_path: Path
) -> None:
    file = unpacked(release, tmp_path / "data")
    before = {
        name: rows(file, f"SELECT COUNT(*) FROM {name}")[0][0]  # noqa: S608
        for name in ("incidents", "alarms", "chaos_experiments", "events", "trainings")
    }
    assert min(before.values()) > 0
    store = open_store(locate(tmp_path / "data", None))
    assert store.ask(systems.end_runs) >= 2  # an incident and an experiment at least
    repository = Repository(store, DEFAULT_SYSTEM)
    log = repository.open(SloSettings()).log
    found, _, lost = log.read(0, 10**6)
    assert (len(found), lost) == (before["events"], None)
    listed = repository.incidents(IncidentFilter(), None, 10**6).records
    assert len(listed) == before["incidents"]
    assert all(one.state is IncidentState.CLOSED for one in listed)
    raised = repository.alarms(AlarmFilter(), None, 10**6).records
    assert len(raised) == before["alarms"]
    assert AlarmOutcome.PENDING not in {one.outcome for one in raised}
    done = repository.experiments(None, 10**6).records
    assert len(done) == before["chaos_experiments"]
    assert all(one.state is ExperimentState.FINISHED for one in done)
    assert {ExperimentEnd.COMPLETED, ExperimentEnd.RUN_ENDED} <= {one.ended_by for one in done}
    training = store.read(lambda c: trainings.latest(c, DEFAULT_SYSTEM))
    assert training is not None
    assert training.state is TrainingState.KEPT
    active = store.read(lambda c: activations.latest(c, DEFAULT_SYSTEM))
    assert active is not None
    assert active.version == training.candidate_version
    assert store.read(lambda c: kill_switch.engaged(c, DEFAULT_SYSTEM))
    assert not store.read(lambda c: kill_switch.engaged(c, EVERY_SYSTEM))
    assert store.read(lambda c: learned_examples.newest(c, DEFAULT_SYSTEM))
    store.close()

    (copy,) = file.parent.glob("store.sqlite3.before-*")
    original = tmp_path / "original"
    original.write_bytes(gzip.decompress(release.read_bytes()))
    for name, count in before.items():
        assert rows(copy, f"SELECT * FROM {name}") == rows(original, f"SELECT * FROM {name}")  # noqa: S608
        assert rows(file, f"SELECT COUNT(*) FROM {name}") == [(count,)]  # noqa: S608
    assert rows(copy, "SELECT * FROM alembic_version") == rows(
        original, "SELECT * FROM alembic_version"
    )


def test_records_that_cannot_be_read_are_left_out_and_stay(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def fill(connection: Any) -> None:
        events.add(connection, "a", [event(1), event(2), event(3)])
        for number in (1, 2):
            incidents.put(connection, "a", incident(number, "db"))
        table = schema_events
        first, second, _ = connection.execute(select(table.c.id).order_by(table.c.id)).scalars()
        renamed = {"services": [], "txt": "it was named text", "detail": None}
        connection.execute(update(table).where(table.c.id == first).values(document=renamed))
        connection.execute(update(table).where(table.c.id == second).values(kind="of_tomorrow"))
        table = schema_incidents
        oldest = connection.execute(select(table.c.id).order_by(table.c.id)).scalars().first()
        broken = update(table).where(table.c.id == oldest)
        connection.execute(broken.values(document={"id": "i-run-1", "state": "ASLEEP"}))

    store.ask(fill)
    assert [one.sequence for one in store.read(lambda c: events.latest(c, "a"))] == [3]
    page = store.read(lambda c: incidents.page(c, "a", IncidentFilter(), None, 10))
    assert [one.number for one in page.records] == [2]
    assert store.ask(systems.end_runs) == 1
    assert "expected a field 'text'" in caplog.text
    assert "'of_tomorrow'" in caplog.text
    assert store.ask(lambda c: systems.delete_records(c, "a")) == 5  # they were still there


def test_what_a_newer_minor_version_has_added_is_kept(store: Store) -> None:
    def of_tomorrow(connection: Any) -> None:
        incidents.put(connection, "a", incident(1, "db", "web"))
        table = schema_incidents
        stored = json.loads(json.dumps(connection.execute(select(table.c.document)).scalar_one()))
        stored["severity"] = "high"
        stored["services"][1]["owner"] = {"team": "shop"}
        connection.execute(update(table).values(document=stored, version="1.7"))

    store.ask(of_tomorrow)
    assert store.ask(systems.end_runs) == 1
    kept = store.read(lambda c: c.execute(select(schema_incidents.c.document)).scalar_one())
    assert kept["state"] == "CLOSED"
    assert kept["severity"] == "high"
    assert kept["services"][1]["owner"] == {"team": "shop"}
    assert "owner" not in kept["services"][0]


def test_a_higher_major_version_is_refused_before_anything_is_written(
    where: StoreLocation,
) -> None:
    store = open_store(where)

    def of_another_time(connection: Any) -> None:
        incidents.put(connection, "a", incident(1, "db"))
        connection.execute(update(schema_incidents).values(version="2.0"))

    store.ask(of_another_time)
    store.close()
    before = where.file.read_bytes() if where.file else b""
    with pytest.raises(StoreLocationError, match=r"version 1, got 2\.0 in incidents"):
        open_store(where)
    assert (where.file.read_bytes() if where.file else b"") == before


def test_a_document_that_is_none_says_what_was_expected() -> None:
    record = incident(1, "db")
    assert parsed(type(record), plain(record)) == record
    for change in ({"onset": 5}, {"state": "ASLEEP"}, {"services": 3}, {"id": None}):
        with pytest.raises(RecordError, match="Incident: "):
            parsed(type(record), {**plain(record), **change})
    assert plain(replace(record, origin="web"), {"more": 1})["more"] == 1


def test_alarms_of_two_systems_are_pruned_and_deleted_apart(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.server.store.test_records import alarm

    monkeypatch.setattr(alarms, "MAX_RECORDS", 2)

    def fill(connection: Any) -> None:
        for number in range(5):
            system = "a" if number != 1 else "b"
            alarms.put(connection, system, alarm(number, "db", AlarmOutcome.FALSE))
        alarms.drop_old(connection, "a")

    store.ask(fill)

    def numbers(system: str) -> list[int]:
        page = store.read(lambda c: alarms.page(c, system, AlarmFilter(), None, 10))
        return [one.number for one in page.records]

    assert (numbers("a"), numbers("b")) == ([4, 3], [1])
    assert store.ask(lambda c: systems.delete_records(c, "b")) == 1
    assert (numbers("a"), numbers("b")) == ([4, 3], [])
