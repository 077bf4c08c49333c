"""Records outlive the server, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.engine import Connection

from server.records.systems import DEFAULT_SYSTEM
from server.store import (
    Store,
    StoreError,
    StoreLocation,
    StoreLocationError,
    activations,
    learned_examples,
    open_store,
)
from server.store import trainings as repository
from server.store.activations import Activation
from server.store.learned_examples import LearnedExperiment
from server.store.schema import metadata
from server.store.trainings import TrainingState
from tests.processes import QUIET

NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def experiment(run: str = "r1", size: int = 3) -> LearnedExperiment:
    return LearnedExperiment(
        system=DEFAULT_SYSTEM,
        run_id=run, topology="shop", first_sequence=7, started=NOW,
        ended=NOW + timedelta(minutes=5), faults=[{"id": "f-1", "target": "database"}],
        services=4, frames=150, incidents=2, bytes=size,
    )  # fmt: skip


def add(store: Store, run: str, content: bytes = b"abc", **limits: int) -> int:
    kept = experiment(run, len(content))
    return store.write(lambda c: learned_examples.add(c, kept, content, **limits)).result()


def newest(connection: Connection) -> list[LearnedExperiment]:
    return learned_examples.newest(connection, DEFAULT_SYSTEM)


def test_the_tables_are_those_that_the_migrations_make(store: Store) -> None:
    differences = store.read(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert differences == []


def test_records_survive_a_restart(where: StoreLocation) -> None:
    store = open_store(where)
    number = add(store, "r1", bytes(range(256)) * 1000)
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    activation = Activation(DEFAULT_SYSTEM, "2-abc", east, "asked for")
    store.ask(lambda c: activations.add(c, activation))
    store.close()
    store = open_store(where)
    assert store.read(newest) == [replace(experiment("r1", 256_000), id=number)]
    assert store.read(lambda c: learned_examples.content(c, number)) == bytes(range(256)) * 1000
    latest = store.read(lambda c: activations.latest(c, DEFAULT_SYSTEM))
    assert latest == replace(activation, time=NOW)
    assert store.read(activations.versions) == {"2-abc"}
    store.close()


def test_a_server_that_is_killed_loses_nothing_that_was_written(where: StoreLocation) -> None:
    script = (
        "import os, sys\n"
        "from server.store import learned_examples, open_store, locate\n"
        "from tests.server.store.test_store import experiment\n"
        "from pathlib import Path\n"
        "store = open_store(locate(Path(sys.argv[1]), sys.argv[2] or None))\n"
        "for n in range(3):\n"
        "    store.write(lambda c: learned_examples.add(c, experiment(f'r{n}'), b'abc')).result()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    url = "" if where.file else where.url.set(drivername="postgresql").render_as_string(False)
    done = subprocess.run(
        [sys.executable, "-c", script, str(where.data), url],
        env={**QUIET, "PYTHONPATH": "."}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -9
    store = open_store(where)
    assert [e.run_id for e in store.read(newest)] == ["r2", "r1", "r0"]
    store.close()


def test_the_oldest_experiments_give_way(store: Store) -> None:
    for number in range(5):
        add(store, f"r{number}", max_experiments=3)
    assert [e.run_id for e in store.read(newest)] == ["r4", "r3", "r2"]
    last = add(store, "large", b"x" * 90, max_bytes=95)
    assert [e.run_id for e in store.read(newest)] == ["large", "r4"]
    only = add(store, "larger", b"x" * 500, max_bytes=95)
    assert [e.run_id for e in store.read(newest)] == ["larger"]
    assert store.read(lambda c: learned_examples.content(c, last)) is None
    assert store.read(lambda c: learned_examples.count(c, DEFAULT_SYSTEM)) == 1
    assert store.read(lambda c: learned_examples.count(c, DEFAULT_SYSTEM, after=only)) == 0


def test_a_training_is_followed_and_one_that_ran_is_interrupted(store: Store) -> None:
    first = store.write(
        lambda c: repository.begin(c, DEFAULT_SYSTEM, "2-abc", NOW, {"systems": 3})
    ).result()
    assert (first.state, first.options) == (TrainingState.RUNNING, {"systems": 3})
    done = replace(
        first, state=TrainingState.KEPT, share_done=1.0, message="no better", ended=NOW,
        candidate_version="2-def", comparison={"improvement": 0.01},
    )  # fmt: skip
    store.write(lambda c: repository.save(c, done)).result()
    second = store.write(lambda c: repository.begin(c, DEFAULT_SYSTEM, "2-abc", NOW, {})).result()
    assert store.read(lambda c: repository.get(c, first.id)) == done
    assert store.write(lambda c: repository.interrupt(c, NOW)).result() == 1
    latest = store.read(lambda c: repository.latest(c, DEFAULT_SYSTEM))
    assert latest is not None
    assert (latest.id, latest.state) == (second.id, TrainingState.INTERRUPTED)
    assert store.read(lambda c: repository.get(c, first.id)) == done
    assert store.read(lambda c: repository.latest_uninterrupted(c, DEFAULT_SYSTEM)) == done
    assert store.read(lambda c: repository.get(c, 99)) is None
    assert store.read(lambda c: repository.get(c, 2**32 - 1)) is None


def test_a_write_that_fails_changes_nothing_and_says_why(store: Store) -> None:
    def half(connection: Connection) -> None:
        note(connection)
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(StoreError, match="nowhere"):
        store.write(half).result()
    assert store.read(lambda c: activations.latest(c, DEFAULT_SYSTEM)) is None
    assert store.lost == 0
    add(store, "later")


def test_writes_that_are_offered_never_wait_and_are_counted_when_lost(store: Store) -> None:
    blocked, going = threading.Event(), threading.Event()

    def slow(_: object) -> None:
        blocked.set()
        going.wait(30)

    store.write(slow)
    blocked.wait(30)
    offered = [store.offer(note) for _ in range(1100)]
    assert offered.count(True) == 1000
    assert store.lost == 100
    going.set()
    store.write(note).result()
    found = store.read(lambda c: c.execute(text("SELECT COUNT(*) FROM activations")).scalar_one())
    assert found == 1001


def note(connection: Connection) -> None:
    activations.add(connection, Activation(DEFAULT_SYSTEM, "2-abc", NOW, ""))


def test_two_servers_do_not_share_records(where: StoreLocation) -> None:
    store = open_store(where)
    with pytest.raises(StoreLocationError, match="is in use by another server"):
        open_store(where)
    elsewhere = replace(where, data=where.data.parent / "other")
    with pytest.raises(StoreLocationError, match="is in use by another server"):
        open_store(elsewhere)
    store.close()
    open_store(where).close()


def test_records_of_a_newer_version_are_left_alone(where: StoreLocation) -> None:
    store = open_store(where)
    store.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num='9999'"))).result()
    store.close()
    with pytest.raises(StoreLocationError, match="9999"):
        open_store(where)
