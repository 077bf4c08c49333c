"""A fault acts once it is stored, and not if it was stopped, reset or refused meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from server.errors import Reason, ServerError, not_stored
from server.records.experiments import (
    AnsweredRequest,
    Experiment,
    ExperimentEnd,
    ExperimentState,
    FaultEnd,
)
from server.sources.scripted import ScriptedSystem
from server.store import StoreError
from server.systems.recorder import Changes, Persistence
from server.systems.system import System
from telemetry.faults import Fault, FaultKind
from tests.server.test_systems import GRAPH, PREDICTOR, Injector, InjectorFactory, script

KILL = Fault("store", FaultKind.SERVICE_KILL, 0.0, 60.0)


class Disk:
    """A store whose writes are acknowledged, or refused, when a test says so."""

    def __init__(self) -> None:
        self.going, self.accepted = threading.Event(), threading.Semaphore(0)
        self.refuses = False
        self.requests: list[AnsweredRequest] = []
        self.changes: list[Changes] = []

    def accept(self, request: AnsweredRequest) -> Callable[[], None]:
        self.requests.append(request)
        self.accepted.release()

        def wait() -> None:
            assert self.going.wait(60.0)
            if self.refuses:
                raise not_stored("nothing was injected", done=False)

        return wait

    def save(self, changes: Changes) -> Future[Any]:
        self.changes.append(changes)
        saved: Future[Any] = Future()
        if self.refuses:
            saved.set_exception(StoreError("full"))
        else:
            saved.set_result(None)
        return saved

    @property
    def experiments(self) -> dict[str, Experiment]:
        return {one.id: one for change in self.changes for one in change.experiments}

    @property
    def events(self) -> list[str]:
        return [one.kind.value for change in self.changes for one in change.events]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def running(disk: Disk) -> System:
    known = script([GRAPH] * 200)
    persistence = Persistence(save=disk.save, accept=disk.accept)
    return System(
        InjectorFactory(known.script, known.past), PREDICTOR, persistence=persistence, max_faults=2
    )


def injected(running: System) -> list[Fault]:
    injector = running._present.live.source.faults
    assert isinstance(injector, ScriptedSystem)
    return injector.injected


@contextmanager
def asking(
    disk: Disk, ask: Callable[[], Experiment], times: int = 1
) -> Iterator[list[Future[Experiment]]]:
    """Ask in threads, and go on once the requests have been handed to the store."""
    with ThreadPoolExecutor(times) as threads:
        asked = [threads.submit(ask) for _ in range(times)]
        assert disk.accepted.acquire(timeout=60.0)
        yield asked
        disk.going.set()


def test_ticks_go_on_while_a_fault_is_stored_and_it_acts_afterwards(
    disk: Disk, running: System
) -> None:
    with asking(disk, lambda: running.inject(KILL)) as (asked,):
        for _ in range(3):
            assert not running.tick().faults
        assert not injected(running)
        assert not running.unfinished_experiments()
    answer = asked.result(60.0)
    assert answer == disk.requests[0].experiment
    assert [fault.target for fault in injected(running)] == ["store"]
    assert running.tick().faults[0].id == answer.faults[0].id
    assert disk.events.count("fault_started") == 1


@pytest.mark.parametrize("stop", [System.stop, lambda system: system.set_kill_switch(True)])
def test_a_fault_that_is_stopped_before_it_is_stored_never_acts(
    disk: Disk, running: System, stop: Callable[[System], list[Any]]
) -> None:
    with asking(disk, lambda: running.inject(KILL)) as (asked,):
        assert [one.target for one in stop(running)] == ["store"]
        assert disk.events.count("fault_stopped") == 0  # it may not be stored at all
    answer = asked.result(60.0)
    assert not injected(running)
    assert not running.tick().faults
    assert disk.experiments[answer.id].faults[0].ended_by is FaultEnd.STOPPED
    assert (disk.events.count("fault_started"), disk.events.count("fault_stopped")) == (0, 1)


def test_a_fault_of_a_run_that_has_ended_meanwhile_does_not_act_in_the_next(
    disk: Disk, running: System
) -> None:
    with asking(disk, lambda: running.inject(KILL)) as (asked,):
        running.reset()
    ended = disk.experiments[asked.result(60.0).id]
    assert (ended.state, ended.ended_by) == (ExperimentState.FINISHED, ExperimentEnd.RUN_ENDED)
    assert not injected(running)
    assert not running.tick().faults


def test_what_is_refused_leaves_nothing_and_its_identifier_is_free(
    disk: Disk, running: System
) -> None:
    disk.refuses = True
    with asking(disk, lambda: running.inject(KILL, "a"), times=2) as asked:
        pass
    for one in asked:
        with pytest.raises(ServerError) as refused:
            one.result(60.0)
        assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert not injected(running)
    disk.refuses = False
    for other in ("a", "b"):  # and the limit of two faults counts none of them
        running.inject(KILL, other)
    with pytest.raises(ServerError) as refused:
        running.inject(KILL, "c")
    assert refused.value.reason is Reason.TOO_MANY_FAULTS


def test_a_request_that_is_sent_again_before_it_is_stored_injects_once(
    disk: Disk, running: System
) -> None:
    with asking(disk, lambda: running.inject(KILL, "a"), times=2) as asked:
        pass
    first, second = (one.result(60.0) for one in asked)
    assert first == second
    assert len(injected(running)) == len(disk.requests) == 1


def test_what_an_injector_refuses_is_withdrawn_from_the_store(disk: Disk, running: System) -> None:
    disk.going.set()
    for _ in range(2):
        with pytest.raises(ConnectionError):
            running.inject(Fault("mail", FaultKind.SERVICE_KILL, 0.0, 60.0), "a")
    stored = [one.experiment.id for one in disk.requests]
    assert [one for change in disk.changes for one in change.withdrawn] == stored
    assert len(stored) == 2


def test_a_kill_switch_is_stored_though_an_injector_cannot_stop(
    disk: Disk, running: System
) -> None:
    disk.going.set()
    running.inject(KILL)
    injector = running._present.live.source.faults
    assert isinstance(injector, Injector)
    injector.failures = 1
    with pytest.raises(ConnectionError):
        running.set_kill_switch(True)
    assert disk.changes[-1].kill_switch


def test_what_could_not_be_written_is_written_by_a_later_tick_as_it_is_then(
    disk: Disk, running: System
) -> None:
    disk.going.set()
    kept = [running.inject(KILL).id for _ in range(2)]
    disk.refuses = True
    running.stop()
    running.set_kill_switch(True)
    for _ in range(40):  # both are over meanwhile
        running.tick()
    assert not running.unfinished_experiments()
    disk.refuses = False
    written = len(disk.changes)
    running.tick()
    (made_up,) = disk.changes[written:]
    assert made_up.kill_switch
    assert {one.id: one.ended_by for one in made_up.experiments} == dict.fromkeys(
        kept, ExperimentEnd.STOPPED
    )
    running.tick()
    assert len(disk.changes) == written + 1  # once
