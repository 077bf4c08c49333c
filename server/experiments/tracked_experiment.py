"""One experiment until it is finished: what it breaks, and its outcome."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.definitions.incidents import BoolArray
from server.experiments.outcome import budgets_spent, outcome
from server.experiments.paths import ATTRIBUTION_WINDOW_S, FaultPaths
from server.experiments.tracked_fault import TrackedFault
from server.pipeline.incidents import SIMULTANEOUS_FRAMES
from server.pipeline.snapshot import Run
from server.pipeline.stages import Findings
from server.pipeline.state import describe
from server.records.experiments import (
    Breakage,
    Experiment,
    ExperimentEnd,
    ExperimentState,
    FaultEnd,
)
from server.records.findings import Alarm, ServiceIncident
from telemetry.graph import FloatArray, IntArray
from telemetry.graph_change import GraphChange

RECOVERY_TIMEOUT_S = 3600.0
"""An experiment is finished so long after its last fault, even without a recovery."""


@dataclass(eq=False, slots=True)
class _Broken:
    fault_ids: tuple[str, ...]
    foretold: Alarm | None
    also_under: tuple[str, ...] = ()
    ended: ServiceIncident | None = None


@dataclass(eq=False, slots=True)
class TrackedExperiment:
    """An experiment that is not finished.

    Attributes
    ----------
    run, id, number, name, scenario
        As in `Experiment`.
    paths
        Paths of faults through the system.
    faults
        Its faults, by start.
    start_s, until_s
        Start of its first fault, and earliest end, seconds of the run.
    counted
        Bad and total counts of every objective at its start, (2, O, S).
    findings
        Latest findings.
    """

    run: Run
    id: str
    number: int
    name: str
    scenario: bool
    paths: FaultPaths
    faults: tuple[TrackedFault, ...]
    start_s: float
    until_s: float
    counted: FloatArray
    findings: Findings
    ended_by: ExperimentEnd | None = None
    finished_s: float | None = None
    _broken: dict[tuple[int, int], _Broken] = field(default_factory=dict)
    _alarms: list[Alarm] = field(default_factory=list)
    _removed: list[Breakage] = field(default_factory=list)
    _alarm_scope: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        """Watch for alarms on the path of a fault; later also next to what broke."""
        self._alarm_scope = np.logical_or.reduce([fault.path for fault in self.faults])

    @property
    def last_end_s(self) -> float:
        """End of its last fault, seconds of the run."""
        return max(fault.end_s for fault in self.faults)

    @property
    def state(self) -> ExperimentState:
        """Progress of the experiment."""
        if self.ended_by is not None:
            return ExperimentState.FINISHED
        acts = any(fault.live for fault in self.faults)
        return ExperimentState.RUNNING if acts else ExperimentState.RECOVERING

    def change_graph(self, change: GraphChange, paths: FaultPaths) -> None:
        """Change the graph; the records of removed services are final."""
        for place in [place for place in self._broken if place[0] in change.removed]:
            self._removed.append(self._breakage(place[0], self._broken.pop(place)))
        self._broken = {
            (change.place[service], onset): broken
            for (service, onset), broken in self._broken.items()
        }
        for fault in self.faults:
            fault.path = paths.of(fault.fault)
        self.paths, self.counted = paths, change.of_services(self.counted, 0.0)
        kept = change.of_services(self._alarm_scope, False)
        self._alarm_scope = np.logical_or.reduce([kept, *(fault.path for fault in self.faults)])

    def update(self, findings: Findings) -> bool:
        """Process the findings of a frame, except what broke; return whether anything changed.

        `server.experiments.attribution` handles what broke.
        """
        self.findings = findings
        changed = False
        for service in findings.states.ended.tolist():
            broken = self._broken.get((service, int(findings.states.onset[service])))
            if broken is not None and broken.ended is None:
                broken.ended = self._describe(service)
                changed = True
        if findings.raised:
            at_s = (findings.raised[0].raised - self.run.start_time).total_seconds()
            if self._may_have_caused(at_s):
                counted = self._alarm_scope[findings.raised_at].tolist()
                self._alarms += itertools.compress(findings.raised, counted)
                changed |= any(counted)
        decided = {alarm.id: alarm for alarm in findings.alarms}
        for i, alarm in enumerate(self._alarms if decided else ()):
            if alarm.id in decided and decided[alarm.id] is not alarm:
                self._alarms[i] = decided[alarm.id]
                changed = True
        return changed

    def attribute_on_path(self, services: IntArray, at_s: FloatArray) -> BoolArray:
        """Attribute the services, (N,), that broke on the path of its faults; return which."""
        matches = np.array(
            [fault.path[services] & fault.may_break(at_s) for fault in self.faults], dtype=np.bool_
        )
        on_path: BoolArray = np.logical_or.reduce(matches, axis=0)
        ids = [fault.id for fault in self.faults]
        for i in np.flatnonzero(on_path).tolist():
            faults = tuple(itertools.compress(ids, matches[:, i]))
            self._add(int(services[i]), faults)
        return on_path

    def attribute_neighbour(self, service: int, at_s: float) -> bool:
        """Attribute a service if a neighbour broke here no later; return whether it was."""
        if not self._may_have_caused(at_s):
            return False
        onset = self.findings.states.onset
        neighbours = dict.fromkeys(self.paths.neighbours(service).tolist())
        latest = int(onset[service]) + SIMULTANEOUS_FRAMES
        found = [
            self._broken[place]
            for neighbour in neighbours
            if (place := (neighbour, int(onset[neighbour]))) in self._broken and place[1] <= latest
        ]
        if found:
            faults = dict.fromkeys(fault for broken in found for fault in broken.fault_ids)
            self._add(service, tuple(faults))
        return bool(found)

    def mark_shared(self, others: Sequence[TrackedExperiment]) -> bool:
        """Note other experiments with the same new breakages; return whether there are new ones."""
        changed = False
        for service in self.findings.states.began.tolist():
            place = (service, int(self.findings.states.onset[service]))
            if place in self._broken:
                changed = True
                self._broken[place].also_under = tuple(
                    other.id for other in others if other is not self and place in other._broken
                )
        return changed

    def finish(self, now_s: float) -> bool:
        """Finish the experiment if nothing more can follow; return whether it is finished."""
        over_s = max(self.last_end_s, self.until_s)
        may_follow = now_s < over_s + ATTRIBUTION_WINDOW_S
        unrecovered = any(broken.ended is None for broken in self._broken.values())
        timed_out = now_s >= over_s + RECOVERY_TIMEOUT_S
        if self.state is ExperimentState.RUNNING or may_follow or (unrecovered and not timed_out):
            return False
        self.end(ExperimentEnd.NOT_RECOVERED if unrecovered else self._regular_end(), now_s)
        return True

    def end(self, by: ExperimentEnd, now_s: float) -> None:
        """End the experiment, whatever could still follow."""
        self.ended_by, self.finished_s = by, now_s

    def record(self) -> Experiment:
        """Make a record of the present state."""
        start, last_end = self.run.at(self.start_s), self.run.at(self.last_end_s)
        return Experiment(
            id=self.id,
            run_id=self.run.id,
            number=self.number,
            name=self.name,
            scenario=self.scenario,
            state=self.state,
            ended_by=self.ended_by,
            start=start,
            end=None if self.finished_s is None else self.run.at(self.finished_s),
            faults=tuple(fault.record(self.run) for fault in self.faults),
            outcome=outcome(start, last_end, self._breakages(), self._alarms),
        )

    def _regular_end(self) -> ExperimentEnd:
        stopped = any(fault.ended_by is FaultEnd.STOPPED for fault in self.faults)
        return ExperimentEnd.STOPPED if stopped else ExperimentEnd.COMPLETED

    def _add(self, service: int, faults: tuple[str, ...]) -> None:
        onset = int(self.findings.states.onset[service])
        self._broken[service, onset] = _Broken(faults, self.findings.foretold.get(service))
        self._alarm_scope[self.paths.neighbours(service)] = True

    def _may_have_caused(self, at_s: float) -> bool:
        """Whether one of its faults may have caused what happens at a time."""
        return any(fault.may_break(at_s) for fault in self.faults)

    def _describe(self, service: int) -> ServiceIncident:
        found = self.findings
        return describe(found.states, found.graph, found.clock, service)

    def _breakages(self) -> list[Breakage]:
        broken = [self._breakage(place[0], broken) for place, broken in self._broken.items()]
        return [*self._removed, *broken]

    def _breakage(self, service: int, broken: _Broken) -> Breakage:
        found = broken.ended or self._describe(service)
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
            budget=budgets_spent(self.findings.budgets, self.counted, service),
        )
