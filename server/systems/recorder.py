"""Records the events of a run in the log, and saves what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from server.experiments.kill_switch import KillSwitch
from server.experiments.service import FaultService
from server.pipeline.budgets import SloSettings
from server.records.events import Event, LoggedEvent
from server.records.experiments import Experiment
from server.records.findings import Alarm, Incident
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
    """

    incidents: tuple[Incident, ...]
    alarms: tuple[Alarm, ...]
    experiments: tuple[Experiment, ...]
    events: tuple[LoggedEvent, ...]
    kill_switch: bool


@dataclass(frozen=True, slots=True)
class Persistence:
    """State that outlives a run.

    Attributes
    ----------
    log
        Log of events; readable from any thread.
    save
        Saves changes; must not block.
    kill_switch
        The kill switch.
    slos
        Settings of error budgets.
    """

    log: EventLog = field(default_factory=EventLog)
    save: Callable[[Changes], object] = lambda _: None
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

    def record(
        self,
        now: datetime,
        events: Iterable[Event] = (),
        incidents: Iterable[Incident] = (),
        alarms: Iterable[Alarm] = (),
    ) -> None:
        """Record changes, including those of faults and experiments; `now` is the wall clock."""
        experiments, of_faults = self._faults.drain()
        logged = self._persistence.log.add(self._run_id, [*of_faults, *events], now)
        changes = Changes(
            tuple(incidents),
            tuple(alarms),
            tuple(experiments),
            tuple(logged),
            self._persistence.kill_switch.on,
        )
        if changes.incidents or changes.alarms or changes.experiments or changes.events:
            self._persistence.save(changes)
