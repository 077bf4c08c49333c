"""One experiment while it is watched: what breaks under it, and how it turns out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from ml.definitions.incidents import BoolArray
from server.experiments.outcome import outcome, spent
from server.experiments.paths import FOLLOWS_WITHIN_S, Ways
from server.pipeline.incidents import AT_ONCE_FRAMES
from server.pipeline.snapshot import ActiveFault, Run
from server.pipeline.stages import Watched
from server.pipeline.state import described
from server.records.experiments import (
    Breakage,
    Experiment,
    ExperimentEnd,
    ExperimentState,
    FaultEnd,
    InjectedFault,
    injected,
)
from server.records.findings import Alarm, ServiceIncident
from telemetry.graph import FloatArray, IntArray

GIVEN_UP_AFTER_S = 3600.0
"""What has not recovered so long after the last fault is not waited for."""


@dataclass(eq=False, slots=True)
class Part:
    """A fault of an experiment.

    Attributes
    ----------
    active
        The fault.
    way
        Services on its way; see `Ways`.
    end_s
        When it ends or ended, seconds since the start of the run.
    begun, ended_by
        Whether it has begun, and why it acts no more.
    """

    active: ActiveFault
    way: BoolArray
    end_s: float
    begun: bool = False
    ended_by: FaultEnd | None = None

    def may_break(self, at_s: Any) -> Any:
        """Whether what breaks at a time, or at each of some, may come from it."""
        start_s = self.active.fault.start_s
        return (start_s < at_s) & (at_s <= self.end_s + FOLLOWS_WITHIN_S)

    def record(self, run: Run) -> InjectedFault:
        """Describe it."""
        return injected(self.active, run, self.end_s, self.ended_by)


@dataclass(eq=False, slots=True)
class _Broken:
    fault_ids: tuple[str, ...]
    foretold: Alarm | None
    also_under: tuple[str, ...] = ()
    over: ServiceIncident | None = None


@dataclass(eq=False, slots=True)
class WatchedExperiment:
    """An experiment that is not finished.

    Attributes
    ----------
    run, id, number, name, scenario
        As in `Experiment`.
    ways
        Of faults through the system.
    parts
        Its faults, by start.
    start_s, until_s
        Seconds of the run: when its first fault begins, and until when it runs at least.
    counted
        Bad and all of every objective when it was asked for, (2, O, S).
    watched
        What was found last.
    """

    run: Run
    id: str
    number: int
    name: str
    scenario: bool
    ways: Ways
    parts: tuple[Part, ...]
    start_s: float
    until_s: float
    counted: FloatArray
    watched: Watched
    ended_by: ExperimentEnd | None = None
    finished_s: float | None = None
    _broken: dict[tuple[int, int], _Broken] = field(default_factory=dict)
    _alarms: list[Alarm] = field(default_factory=list)
    _near: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        """Alarms are looked for on the way of a fault, and later beside what broke."""
        self._near = np.logical_or.reduce([part.way for part in self.parts])

    @property
    def last_end_s(self) -> float:
        """When its last fault ends or ended."""
        return max(part.end_s for part in self.parts)

    @property
    def state(self) -> ExperimentState:
        """How far it is."""
        if self.ended_by is not None:
            return ExperimentState.FINISHED
        acts = any(part.ended_by is None for part in self.parts)
        return ExperimentState.RUNNING if acts else ExperimentState.RECOVERING

    def take(self, watched: Watched) -> bool:
        """Take what was found with a frame, all but what broke; return whether it concerns this.

        What broke comes after it: see `server.experiments.attribution`.
        """
        self.watched = watched
        changed = False
        for service in watched.ended.tolist():
            broken = self._broken.get((service, int(watched.standing.onset[service])))
            if broken is not None and broken.over is None:
                broken.over = self._describe(service)
                changed = True
        if watched.raised:
            at_s = (watched.raised[0].raised - self.run.start_time).total_seconds()
            if self._faults_at(at_s):
                near = self._near[watched.raised_at].tolist()
                self._alarms += itertools.compress(watched.raised, near)
                changed |= any(near)
        decided = {alarm.id: alarm for alarm in watched.alarms}
        for i, known in enumerate(self._alarms if decided else ()):
            if known.id in decided and decided[known.id] is not known:
                self._alarms[i] = decided[known.id]
                changed = True
        return changed

    def take_on_way(self, services: IntArray, at_s: FloatArray) -> BoolArray:
        """Take those of some services, (N,), that broke on the way of its faults; say which."""
        matches = np.array(
            [part.way[services] & part.may_break(at_s) for part in self.parts], dtype=np.bool_
        )
        taken: BoolArray = np.logical_or.reduce(matches, axis=0)
        ids = [part.active.id for part in self.parts]
        for i in np.flatnonzero(taken).tolist():
            faults = tuple(itertools.compress(ids, matches[:, i]))
            self._add(int(services[i]), faults)
        return taken

    def take_beside(self, service: int, at_s: float) -> bool:
        """Take a service that broke beside one that broke no later; return whether it is one."""
        if not self._faults_at(at_s):
            return False
        onset = self.watched.standing.onset
        neighbours = dict.fromkeys(self.ways.beside(service).tolist())
        latest = int(onset[service]) + AT_ONCE_FRAMES
        found = [
            self._broken[place]
            for neighbour in neighbours
            if (place := (neighbour, int(onset[neighbour]))) in self._broken and place[1] <= latest
        ]
        if found:
            faults = dict.fromkeys(fault for broken in found for fault in broken.fault_ids)
            self._add(service, tuple(faults))
        return bool(found)

    def share(self, others: Sequence[WatchedExperiment]) -> bool:
        """Note under which others what broke just now did so too; return whether anything did."""
        changed = False
        for service in self.watched.began.tolist():
            place = (service, int(self.watched.standing.onset[service]))
            if place in self._broken:
                changed = True
                self._broken[place].also_under = tuple(
                    other.id for other in others if other is not self and place in other._broken
                )
        return changed

    def finish(self, now_s: float) -> bool:
        """Finish it if nothing more is to be seen; return whether it is finished now."""
        over_s = max(self.last_end_s, self.until_s)
        waits = now_s < over_s + FOLLOWS_WITHIN_S
        ill = any(broken.over is None for broken in self._broken.values())
        given_up = now_s >= over_s + GIVEN_UP_AFTER_S
        if self.state is ExperimentState.RUNNING or waits or (ill and not given_up):
            return False
        self.end(ExperimentEnd.NOT_RECOVERED if ill else self._how(), now_s)
        return True

    def end(self, by: ExperimentEnd, now_s: float) -> None:
        """End it, whatever is still to be seen."""
        self.ended_by, self.finished_s = by, now_s

    def record(self) -> Experiment:
        """Describe it as it is now."""
        start = self.run.start_time
        return Experiment(
            id=self.id,
            run_id=self.run.id,
            number=self.number,
            name=self.name,
            scenario=self.scenario,
            state=self.state,
            ended_by=self.ended_by,
            start=start + timedelta(seconds=self.start_s),
            end=None if self.finished_s is None else start + timedelta(seconds=self.finished_s),
            faults=tuple(part.record(self.run) for part in self.parts),
            outcome=outcome(
                start + timedelta(seconds=self.start_s),
                start + timedelta(seconds=self.last_end_s),
                (self._breakage(place[0], broken) for place, broken in self._broken.items()),
                self._alarms,
            ),
        )

    def _how(self) -> ExperimentEnd:
        stopped = any(part.ended_by is FaultEnd.STOPPED for part in self.parts)
        return ExperimentEnd.STOPPED if stopped else ExperimentEnd.COMPLETED

    def _add(self, service: int, faults: tuple[str, ...]) -> None:
        onset = int(self.watched.standing.onset[service])
        self._broken[service, onset] = _Broken(faults, self.watched.foretold.get(service))
        self._near[self.ways.beside(service)] = True

    def _faults_at(self, at_s: float) -> bool:
        """Whether what happens at a time may come from one of its faults."""
        return any(part.may_break(at_s) for part in self.parts)

    def _describe(self, service: int) -> ServiceIncident:
        watched = self.watched
        return described(watched.standing, self.run.graph, watched.clock, service)

    def _breakage(self, service: int, broken: _Broken) -> Breakage:
        found = broken.over or self._describe(service)
        by = broken.foretold
        return Breakage(
            service=found.service,
            onset=found.onset,
            last_breach=found.last_breach,
            recovered=found.end is not None,
            fault_ids=broken.fault_ids,
            also_under=broken.also_under,
            alarm_id="" if by is None else by.id,
            lead_s=None if by is None else by.lead_s,
            budget=spent(self.watched.slos, self.counted, service),
        )
