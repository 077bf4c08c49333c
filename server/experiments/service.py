"""Faults of one run: injected, stopped, tracked, and refused by the kill switch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Set
from dataclasses import replace
from datetime import datetime

from server.errors import (
    kill_switch_engaged,
    not_supported_by_source,
    too_many_faults,
    unknown_experiment,
    unknown_fault,
)
from server.experiments import text
from server.experiments.attribution import attribute
from server.experiments.idempotency import IdempotentRequests
from server.experiments.kill_switch import KillSwitch
from server.experiments.paths import FaultPaths
from server.experiments.tracked_experiment import TrackedExperiment
from server.experiments.tracked_fault import TrackedFault
from server.experiments.validation import check_fault, check_scenario, not_possible
from server.pipeline.snapshot import Run
from server.pipeline.stages import Findings
from server.ports import FaultInjector, Scenario
from server.records.events import Event, EventKind
from server.records.experiments import Experiment, ExperimentEnd, FaultEnd, InjectedFault
from telemetry.faults import Fault, FaultError, FaultKind
from telemetry.graph_change import GraphChange

MAX_TRACKED = 200
"""Beyond this number, experiments without live faults are finished early, oldest first."""


class FaultService:
    """Injects the faults of one run and tracks its experiments; not thread-safe.

    Parameters
    ----------
    injector
        Injects faults; None: the source does not support faults, so all are refused.
    time_s
        Time of the first snapshot, seconds since the start of the run.
    findings
        Latest findings of the run.
    max_faults
        Maximum number of active or scheduled faults.
    kill_switch
        Kill switch, which outlives the run.
    """

    def __init__(
        self,
        injector: FaultInjector | None,
        time_s: float,
        findings: Findings,
        max_faults: int,
        kill_switch: KillSwitch,
    ) -> None:
        self._injector, self._now_s = injector, time_s
        self._run: Run = findings.run
        self._findings, self._max_faults, self._kill_switch = findings, max_faults, kill_switch
        self._paths = FaultPaths(findings.graph)
        self._requests = IdempotentRequests()
        self._fault_numbers, self._numbers = itertools.count(1), itertools.count(1)
        self._experiments: dict[str, TrackedExperiment] = {}
        self._changed: dict[str, Experiment] = {}
        self._events: list[Event] = []

    def inject(self, fault: Fault, request_id: str = "") -> Experiment:
        """Inject a fault as an experiment of its own, from the next step on.

        The time at which it starts counts from now.

        Raises
        ------
        ServerError
            INVALID_FIELD, UNKNOWN_SERVICE, TOO_MANY_FAULTS, KILL_SWITCH_ENGAGED,
            REQUEST_ID_REUSED or NOT_SUPPORTED_BY_SOURCE; nothing is changed then.
        """

        def begin() -> Experiment:
            self._check_accepting({fault.kind})
            check_fault(fault, self._findings.graph)
            return self._begin((fault,))

        return self._requests.run_once(request_id, fault, 1, begin)

    def run_scenario(self, scenario: Scenario, request_id: str = "") -> Experiment:
        """Inject the faults of a scenario as one experiment, starting now.

        Raises
        ------
        ServerError
            As `inject`.
        """

        def begin() -> Experiment:
            self._check_accepting({fault.kind for fault in scenario.faults})
            check_scenario(scenario)
            until_s = self._now_s + scenario.seconds
            return self._begin(scenario.faults, scenario.name, until_s)

        return self._requests.run_once(request_id, scenario, max(1, len(scenario.faults)), begin)

    def stop(
        self, *, fault_id: str | None = None, experiment_id: str | None = None
    ) -> list[InjectedFault]:
        """Stop one fault, those of one experiment, or all, whether active or scheduled.

        Raises
        ------
        ServerError
            UNKNOWN_FAULT, UNKNOWN_EXPERIMENT.
        """
        if experiment_id is not None and experiment_id not in self._experiments:
            raise unknown_experiment(experiment_id, unfinished=True)
        chosen = [
            (experiment, fault)
            for experiment, fault in self._live()
            if fault_id in (None, fault.id) and experiment_id in (None, experiment.id)
        ]
        if fault_id is not None and not chosen:
            raise unknown_fault(fault_id)
        for _, fault in chosen:
            assert self._injector is not None  # noqa: S101 - it has injected them
            self._injector.stop(fault.fault)
            fault.end_s = max(self._now_s, fault.fault.start_s)
            self._end(fault, FaultEnd.STOPPED, self._now_s)
        for experiment in {experiment.id: experiment for experiment, _ in chosen}.values():
            if not any(fault.live for fault in experiment.faults):
                experiment.until_s = self._now_s
            self._changed[experiment.id] = experiment.record()
        return [fault.record(self._run) for _, fault in chosen]

    def set_kill_switch(self, engaged: bool, time: datetime) -> list[InjectedFault]:
        """Stop all faults and refuse new ones, or accept them again; return the stopped ones.

        Parameters
        ----------
        engaged
            Whether to engage the kill switch, or to lift it.
        time
            Time on the clock of the system.
        """
        was_on, self._kill_switch.on = self._kill_switch.on, engaged
        if engaged is was_on:
            return self._stop_all() if engaged else []
        if engaged:
            return self.stop_for_kill_switch(time)
        self.note_kill_switch(time, engaged=False)
        return []

    def stop_for_kill_switch(self, time: datetime) -> list[InjectedFault]:
        """Stop all faults, because a kill switch was engaged; return the stopped ones."""
        stopped = self._stop_all()
        self.note_kill_switch(time, engaged=True)
        return stopped

    def note_kill_switch(self, time: datetime, *, engaged: bool) -> None:
        """Add the event that a kill switch was engaged or lifted."""
        kind = EventKind.KILL_SWITCH_ENGAGED if engaged else EventKind.KILL_SWITCH_LIFTED
        self._events.append(Event(kind, time, (), text.of_kill_switch(engaged)))

    def active(self) -> tuple[InjectedFault, ...]:
        """Faults that are active now or from the next step on, by start."""
        started = [fault for _, fault in self._live() if fault.started]
        started.sort(key=lambda fault: fault.fault.start_s)
        return tuple(fault.record(self._run) for fault in started)

    def advance(self, time_s: float) -> None:
        """Advance to a second of the run: faults begin and end."""
        self._now_s = time_s
        self._note_started()
        for experiment, fault in list(self._live()):
            if fault.end_s <= time_s:
                self._end(fault, FaultEnd.OVER, fault.end_s)
                self._changed[experiment.id] = experiment.record()

    def update(self, findings: Findings) -> None:
        """Process the findings of that step."""
        experiments = list(self._experiments.values())
        if findings.graph is not self._findings.graph:
            change = GraphChange(self._findings.graph, findings.graph)
            self._paths = FaultPaths(findings.graph)
            for experiment in experiments:
                experiment.change_graph(change, self._paths)
        self._findings = findings
        changed = {experiment.id for experiment in experiments if experiment.update(findings)}
        if len(findings.states.began):
            changed |= attribute(findings, experiments)
        for experiment in experiments:
            if experiment.finish(self._now_s):
                self._untrack(experiment)
            elif experiment.id in changed:
                self._changed[experiment.id] = experiment.record()

    def close(self) -> None:
        """End the run with all its faults and experiments."""
        if self._injector is not None:
            self._injector.stop_all()
        for _, fault in list(self._live()):
            fault.end_s = self._now_s
            fault.ended_by = FaultEnd.RUN_ENDED
        for experiment in list(self._experiments.values()):
            experiment.end(ExperimentEnd.RUN_ENDED, self._now_s)
            self._untrack(experiment)

    def unfinished(self) -> list[Experiment]:
        """Experiments that are not finished, as they are now, by number."""
        return [experiment.record() for experiment in self._experiments.values()]

    def drain(self) -> tuple[list[Experiment], list[Event]]:
        """Return the changed experiments and the events since the last call."""
        changed, events = list(self._changed.values()), self._events
        self._changed, self._events = {}, []
        return changed, events

    def _stop_all(self) -> list[InjectedFault]:
        stopped = self.stop()
        if self._injector is not None:
            self._injector.stop_all()
        return stopped

    def _check_accepting(self, kinds: Set[FaultKind]) -> None:
        if self._injector is None:
            raise not_supported_by_source("faults")
        if missing := kinds - self._injector.kinds:
            raise not_supported_by_source(", ".join(sorted(missing)))
        if self._kill_switch.engaged:
            above = self._kill_switch.above
            raise kill_switch_engaged(for_all=above is not None and above.engaged)

    def _begin(
        self, faults: tuple[Fault, ...], scenario: str = "", until_s: float = 0.0
    ) -> Experiment:
        """Begin an experiment: of a named scenario, or of one fault."""
        if sum(1 for _ in self._live()) + len(faults) > self._max_faults:
            raise too_many_faults(self._max_faults)
        injected = self._inject(sorted(faults, key=lambda fault: fault.start_s))
        number = next(self._numbers)
        experiment_id = f"x-{self._run.id}-{number}"
        experiment = TrackedExperiment(
            run=self._run,
            id=experiment_id,
            number=number,
            name=scenario or f"{text.kind_of(injected[0].kind)} on {injected[0].target}",
            scenario=bool(scenario),
            paths=self._paths,
            faults=tuple(
                TrackedFault(
                    f"f-{next(self._fault_numbers)}", experiment_id, fault, self._paths.of(fault),
                    fault.end_s,
                )
                for fault in injected
            ),
            start_s=injected[0].start_s,
            until_s=until_s,
            counted=self._findings.budgets.counted,
            findings=self._findings,
        )  # fmt: skip
        self._experiments[experiment_id] = experiment
        self._note_started()
        started = self._changed[experiment_id] = experiment.record()
        self._finish_early()
        return started

    def _inject(self, faults: list[Fault]) -> list[Fault]:
        """Inject all faults or none; their times count from now."""
        assert self._injector is not None  # noqa: S101 - `_check_accepting` looked
        injected: list[Fault] = []
        try:
            for fault in faults:
                due = replace(fault, start_s=self._now_s + fault.start_s)
                injected.append(self._injector.inject(due))
        except Exception as error:
            for fault in injected:
                self._injector.stop(fault)
            if isinstance(error, FaultError):
                raise not_possible(error) from error
            raise
        return injected

    def _live(self) -> Iterator[tuple[TrackedExperiment, TrackedFault]]:
        for experiment in self._experiments.values():
            for fault in experiment.faults:
                if fault.live:
                    yield experiment, fault

    def _note_started(self) -> None:
        for _, fault in self._live():
            if not fault.started and fault.fault.start_s <= self._now_s:
                fault.started = True
                self._add_event(EventKind.FAULT_STARTED, fault, fault.fault.start_s)

    def _end(self, fault: TrackedFault, by: FaultEnd, at_s: float) -> None:
        fault.ended_by = by
        kind = EventKind.FAULT_STOPPED if by is FaultEnd.STOPPED else EventKind.FAULT_ENDED
        self._add_event(kind, fault, at_s)

    def _add_event(self, kind: EventKind, fault: TrackedFault, at_s: float) -> None:
        record = fault.record(self._run)
        sentence, names = text.of_fault(record, kind), text.affected_services(record)
        self._events.append(Event(kind, self._run.at(at_s), names, sentence, record))

    def _untrack(self, experiment: TrackedExperiment) -> None:
        self._changed[experiment.id] = experiment.record()
        del self._experiments[experiment.id]

    def _finish_early(self) -> None:
        idle = [
            experiment
            for experiment in self._experiments.values()
            if not any(fault.live for fault in experiment.faults)
        ]
        for experiment in idle[: max(0, len(self._experiments) - MAX_TRACKED)]:
            experiment.end(ExperimentEnd.COMPLETED, self._now_s)
            self._untrack(experiment)
