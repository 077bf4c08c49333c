"""Writes that wait are committed together; one that fails or is given up costs no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine

from server.store import Store, StoreError, UndecidedError, activations, database, writer
from tests.server.store.test_store import note


@contextmanager
def waiting(store: Store) -> Iterator[None]:
    """Hold the writer up meanwhile, so that writes wait for each other."""
    going, blocked = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        blocked.set()
        going.wait(60.0)

    store.write(hold)
    assert blocked.wait(60.0)
    yield
    going.set()


@contextmanager
def commits(store: Store) -> Iterator[list[str]]:
    """Count what is committed meanwhile."""
    seen: list[str] = []
    engine: Engine = store._engine

    def committed(_: Connection) -> None:
        seen.append("commit")

    event.listen(engine, "commit", committed)
    yield seen
    event.remove(engine, "commit", committed)


def impossible(connection: Connection) -> None:
    note(connection)
    connection.execute(text("SELECT 1 FROM nowhere"))


def stored(store: Store) -> int:
    count = text("SELECT COUNT(*) FROM activations")
    return int(store.read(lambda c: c.execute(count).scalar_one()))


def test_writes_that_wait_are_committed_together(store: Store) -> None:
    with commits(store) as seen:
        with waiting(store):
            futures = [store.submit(note) for _ in range(80)]
        for future in futures:
            future.result(60.0)
    assert len(seen) == 2  # what held them up, and all of them


def test_a_write_that_is_not_possible_costs_no_other_and_leaves_nothing(store: Store) -> None:
    with waiting(store):
        futures = [store.submit(work) for work in (note, impossible, note)]
    futures[0].result(60.0)
    futures[2].result(60.0)
    with pytest.raises(StoreError, match="nowhere"):
        futures[1].result(60.0)
    assert stored(store) == 2
    assert not store.failing
    assert store.lost == 0  # whoever submits is told


def test_a_write_that_is_given_up_while_it_is_executed_is_not_committed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    executing, going = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        note(connection)
        executing.set()
        going.wait(60.0)

    with waiting(store):
        given_up: Future[None] = store.submit(slow)
        other = store.submit(note)
    assert executing.wait(60.0)
    monkeypatch.setattr(database, "CHANGE_TIMEOUT_S", 0.05)
    with pytest.raises(StoreError, match="no answer") as caught:
        store.confirm(given_up)
    assert not isinstance(caught.value, UndecidedError)
    going.set()
    other.result(60.0)
    assert stored(store) == 1


def test_whoever_waits_for_a_commit_that_hangs_is_told_that_it_is_not_decided(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    committing, going = threading.Event(), threading.Event()
    monkeypatch.setattr(database, "CHANGE_TIMEOUT_S", 0.05)

    def hang(_: Connection) -> None:
        committing.set()
        going.wait(60.0)

    event.listen(store._engine, "commit", hang, once=True)
    writing = store.submit(note)
    assert committing.wait(60.0)
    with pytest.raises(UndecidedError):
        store.confirm(writing)
    going.set()
    writing.result(60.0)
    assert stored(store) == 1


def test_the_store_says_that_it_fails_until_a_write_succeeds(store: Store) -> None:
    with pytest.raises(StoreError):
        store.ask(impossible)
    assert store.failing
    assert store.read_written(activations.versions) == set()
    assert store.failing  # reading proves nothing
    store.ask(note)
    assert not store.failing


def test_a_full_queue_is_said_at_once(store: Store) -> None:
    with waiting(store):
        futures = [store.submit(note) for _ in range(writer.MAX_QUEUED + 1)]
        with pytest.raises(StoreError, match="too many writes"):
            futures[-1].result(0.0)
    assert futures[-2].result(60.0) is None
    assert store.lost == 0
