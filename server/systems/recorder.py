"""Records the events of a run in the log, and saves what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from server.errors import ServerError
from server.experiments.idempotency import IdempotentRequests
from server.experiments.injection import Injection
from server.experiments.kill_switch import KillSwitch
from server.experiments.service import FaultService
from server.pipeline.budgets import SloSettings
from server.records.events import Event, LoggedEvent
from server.records.experiments import AnsweredRequest, Experiment
from server.records.findings import Alarm, Incident
from server.systems.backlog import Backlog
from server.systems.event_log import EventLog


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be saved: records that are new or have changed, and events, in order.

    Attributes
    ----------
    incidents, alarms, experiments, events
        Records that are new or have changed, and events.
    kill_switch
        Whether the kill switch of the system itself is on.
    withdrawn
        Experiments that are stored, and did not begin.
    forget_requests
        Whether earlier requests are not answered again, because a new run begins.
    """

    incidents: tuple[Incident, ...]
    alarms: tuple[Alarm, ...]
    experiments: tuple[Experiment, ...]
    events: tuple[LoggedEvent, ...]
    kill_switch: bool
    withdrawn: tuple[str, ...] = ()
    forget_requests: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing has changed but, perhaps, the kill switch."""
        return not (
            self.incidents or self.alarms or self.experiments or self.events or self.withdrawn
            or self.forget_requests
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Persistence:
    """State that outlives a run.

    Attributes
    ----------
    log
        Log of events; readable from any thread.
    save
        Saves changes; must not block. The future it gives says when they are stored, or that they
        could not be; None: there is nothing to wait for.
    accept
        Stores a request for faults before they begin; must not block. The function it gives waits
        until that is done, and raises `ServerError` if it failed.
    backlog
        What is not stored yet.
    requests
        Requests that were answered.
    kill_switch
        The kill switch.
    slos
        Settings of error budgets.
    """

    log: EventLog = field(default_factory=EventLog)
    save: Callable[[Changes], Future[Any] | None] = lambda _: None
    accept: Callable[[AnsweredRequest], Callable[[], None]] = lambda _: lambda: None
    backlog: Backlog = field(default_factory=Backlog)
    requests: IdempotentRequests = field(default_factory=IdempotentRequests)
    kill_switch: KillSwitch = field(default_factory=KillSwitch)
    slos: SloSettings = field(default_factory=SloSettings)


class RunRecorder:
    """Records one run; not thread-safe.

    Parameters
    ----------
    run_id
        The run.
    faults
        The faults and experiments of the run.
    persistence
        State that outlives the run.
    """

    def __init__(self, run_id: str, faults: FaultService, persistence: Persistence) -> None:
        self._run_id, self._faults, self._persistence = run_id, faults, persistence
        self._switched = persistence.kill_switch.on
        self._withdrawn: list[str] = []

    def record(
        self,
        now: datetime,
        events: Iterable[Event] = (),
        incidents: Iterable[Incident] = (),
        alarms: Iterable[Alarm] = (),
    ) -> None:
        """Record changes, including those of faults and experiments; `now` is the wall clock."""
        changed, of_faults = self._faults.drain()
        persistence = self._persistence
        logged = persistence.log.add(self._run_id, [*of_faults, *events], now)
        owed = persistence.backlog.owed(self._faults.unfinished)
        experiments = {one.id: one for one in (*(owed or ()), *changed)}
        changes = Changes(
            tuple(incidents),
            tuple(alarms),
            tuple(experiments.values()),
            tuple(logged),
            persistence.kill_switch.on,
            tuple(self._withdrawn),
            persistence.requests.drain_forgotten(),
        )
        self._withdrawn.clear()
        if owed is None and changes.empty and changes.kill_switch is self._switched:
            return
        self._switched = changes.kill_switch
        writing = persistence.save(changes)
        if writing is not None:
            persistence.backlog.follow(writing, changes.experiments, makes_up=owed is not None)

    def accept(self, injection: Injection) -> None:
        """Hand an accepted request to the store, unless that was done; `Injection.wait` waits."""
        if injection.wait is None:
            request = AnsweredRequest(injection.request_id, injection.content, injection.experiment)
            injection.wait = self._persistence.accept(request)

    def begin(self, injection: Injection, refused: ServerError | None, now: datetime) -> Experiment:
        """Inject what was accepted and stored, or withdraw it if it could not be stored.

        Raises
        ------
        ServerError
            `refused`, or as `FaultService.begin`.
        """
        if refused is not None:
            self._faults.withdraw(injection, refused)
            raise refused
        try:
            return self._faults.begin(injection)
        except Exception:
            self._withdrawn.append(injection.id)
            raise
        finally:
            self.record(now)
