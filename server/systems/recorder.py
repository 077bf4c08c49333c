"""What happens in a run: watched, told to the log, and handed on to be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from server.experiments.service import ChaosDesk, KillSwitch
from server.pipeline import text as words
from server.pipeline.snapshot import Snapshot
from server.pipeline.stages import SloSettings, Watcher
from server.records.events import Event, EventKind, EventLog, Happening, RunStart
from server.records.experiments import Experiment
from server.records.findings import Alarm, Incident
from server.systems.run import LiveRun


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be kept: records that are new or have changed, and events, in order.

    Attributes
    ----------
    incidents, alarms, experiments, events
        Records.
    kill_switch
        Whether the kill switch is on.
    """

    incidents: tuple[Incident, ...]
    alarms: tuple[Alarm, ...]
    experiments: tuple[Experiment, ...]
    events: tuple[Event, ...]
    kill_switch: bool


@dataclass(frozen=True, slots=True)
class Keeping:
    """What outlives a run.

    Attributes
    ----------
    log
        Of events; may be read from any thread.
    keep
        Is handed what is to be kept; must not wait.
    switch
        The kill switch.
    slos
        How budgets are watched.
    """

    log: EventLog = field(default_factory=EventLog)
    keep: Callable[[Changes], object] = lambda _: None
    switch: KillSwitch = field(default_factory=KillSwitch)
    slos: SloSettings = field(default_factory=SloSettings)


class Chronicle:
    """Follows one run; not safe to use from several threads.

    Parameters
    ----------
    live, first
        The run, and its first snapshot.
    keeping
        What outlives it.
    max_faults
        That may act or wait at a time.
    """

    def __init__(self, live: LiveRun, first: Snapshot, keeping: Keeping, max_faults: int) -> None:
        self._keeping = keeping
        self._run = run = first.run
        self._watcher = Watcher(first, keeping.slos)
        self.watched = self._watcher.update(first)
        self.desk = ChaosDesk(live.simulation, run, self.watched, max_faults, keeping.switch)
        text = f"a run of {run.topology.name} begins"
        start = RunStart(run.topology.name, run.seed)
        self.add(Happening(EventKind.RUN_STARTED, first.time, (), text, start), first.produced_time)
        self._found(first)

    def take(self, taken: Snapshot) -> None:
        """Take the next snapshot; the desk knows already what the step did to faults."""
        self.watched = self._watcher.update(taken)
        self.desk.book.take(self.watched)
        self._found(taken)

    @contextmanager
    def orders(self, now: datetime) -> Iterator[ChaosDesk]:
        """Give the desk, and tell afterwards what happened there; wall clock."""
        yield self.desk
        self._tell(now)

    def add(self, happening: Happening, now: datetime) -> None:
        """Tell of something that happened elsewhere; wall clock."""
        self._tell(now, [happening])

    def open_incidents(self) -> list[Incident]:
        """Incidents that go on, as they are now."""
        return self._watcher.open_incidents()

    def pending_alarms(self) -> list[Alarm]:
        """Alarms that are raised, or whose outcome is not known yet, as they are now."""
        return self._watcher.pending_alarms()

    def close(self, now: datetime) -> None:
        """End the run: what it leaves open is closed; wall clock."""
        self.desk.book.close()
        incidents, alarms = self._watcher.close()
        happenings = [
            Happening(
                EventKind.INCIDENT_CLOSED,
                self.watched.slos.time,
                incident.names,
                words.of_incident(incident, spreads=False),
                incident,
            )
            for incident in incidents
        ]
        self._tell(now, happenings, incidents, alarms)

    def _found(self, taken: Snapshot) -> None:
        watched = self.watched
        self._tell(taken.produced_time, watched.happenings, watched.incidents, watched.alarms)

    def _tell(
        self,
        now: datetime,
        happenings: Iterable[Happening] = (),
        incidents: Iterable[Incident] = (),
        alarms: Iterable[Alarm] = (),
    ) -> None:
        experiments, of_faults = self.desk.drain()
        events = self._keeping.log.add(self._run.id, [*of_faults, *happenings], now)
        engaged = self._keeping.switch.engaged
        changes = Changes(
            tuple(incidents), tuple(alarms), tuple(experiments), tuple(events), engaged
        )
        if changes.incidents or changes.alarms or changes.experiments or changes.events:
            self._keeping.keep(changes)
