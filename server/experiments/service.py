"""Faults of one run: injected, stopped, tracked, and refused by the kill switch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from server.errors import too_many_faults, unknown_experiment, unknown_fault
from server.experiments import text
from server.experiments.accepted import AcceptedExperiments
from server.experiments.attribution import attribute
from server.experiments.idempotency import IdempotentRequests, digest
from server.experiments.injection import Injection, inject_all
from server.experiments.kill_switch import KillSwitch
from server.experiments.paths import FaultPaths
from server.experiments.tracked_experiment import TrackedExperiment
from server.experiments.tracked_fault import TrackedFault
from server.experiments.validation import check_accepting, check_fault, check_scenario
from server.pipeline.snapshot import Run
from server.pipeline.stages import Findings
from server.ports import FaultInjector, Scenario
from server.records.events import Event, EventKind
from server.records.experiments import Experiment, ExperimentEnd, FaultEnd, InjectedFault
from telemetry.faults import Fault
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
    requests
        Requests that were answered; they outlive a restart.
    """

    def __init__(
        self,
        injector: FaultInjector | None,
        time_s: float,
        findings: Findings,
        max_faults: int,
        kill_switch: KillSwitch,
        requests: IdempotentRequests,
    ) -> None:
        self._injector, self._now_s = injector, time_s
        self._run: Run = findings.run
        self._findings, self._max_faults, self._kill_switch = findings, max_faults, kill_switch
        self._paths = FaultPaths(findings.graph)
        self._requests, self._closed = requests, False
        self._experiments: dict[str, TrackedExperiment] = {}
        self._accepted = AcceptedExperiments(injector, self._run)
        self._changed: dict[str, Experiment] = {}
        self._events: list[Event] = []

    def accept(self, fault: Fault, request_id: str = "") -> Injection:
        """Accept a fault as an experiment of its own; `begin` injects it.

        The time at which it starts counts from now.

        Raises
        ------
        ServerError
            INVALID_FIELD, UNKNOWN_SERVICE, TOO_MANY_FAULTS, KILL_SWITCH_ENGAGED,
            REQUEST_ID_REUSED or NOT_SUPPORTED_BY_SOURCE; nothing is changed then.
        """
        content = digest(fault)
        known = self._requests.find(request_id, content)
        if known is not None:
            return known
        check_accepting(self._injector, {fault.kind}, self._kill_switch)
        check_fault(fault, self._findings.graph)
        return self._accept((fault,), request_id, content)

    def accept_scenario(self, scenario: Scenario, request_id: str = "") -> Injection:
        """Accept the faults of a scenario as one experiment, starting now; raises as `accept`."""
        content = digest(scenario)
        known = self._requests.find(request_id, content)
        if known is not None:
            return known
        kinds = {fault.kind for fault in scenario.faults}
        check_accepting(self._injector, kinds, self._kill_switch)
        check_scenario(scenario)
        until_s = self._now_s + scenario.seconds
        return self._accept(scenario.faults, request_id, content, scenario.name, until_s)

    def begin(self, injection: Injection) -> Experiment:
        """Inject what was accepted, from the next step on; what was stopped meanwhile is not.

        Once it has begun, it is only answered again.

        Raises
        ------
        ServerError
            INVALID_FIELD, if the faults are not possible any more; it is withdrawn then.
        """
        if injection.problem is not None:
            raise injection.problem
        tracked = self._accepted.get(injection.id)
        if tracked is None:
            return injection.experiment
        if self._kill_switch.engaged:  # perhaps the one for all systems, which stops each in turn
            self.stop(experiment_id=tracked.id)
        if not self._closed:
            try:
                inject_all(self._injector, tracked.faults)
            except Exception as error:
                self.withdraw(injection, error)
                raise
            tracked.findings = self._findings
            self._experiments[tracked.id] = tracked
        del self._accepted[tracked.id]
        if any(not fault.live for fault in tracked.faults):
            self._changed[tracked.id] = tracked.record()
        for fault in tracked.faults:
            if fault.ended_by is FaultEnd.STOPPED:
                self._add_event(EventKind.FAULT_STOPPED, fault, fault.end_s)
        self._note_started()
        self._finish_early()
        return injection.experiment

    def withdraw(self, injection: Injection, problem: Exception) -> None:
        """Forget what was accepted, because it could not be stored or injected."""
        self._accepted.pop(injection.id, None)
        self._requests.forget(injection)
        injection.problem = problem

    def stop(
        self, *, fault_id: str | None = None, experiment_id: str | None = None
    ) -> list[InjectedFault]:
        """Stop one fault, those of one experiment, or all, whether active or scheduled.

        Raises
        ------
        ServerError
            UNKNOWN_FAULT, UNKNOWN_EXPERIMENT.
        """
        known = (self._experiments, self._accepted)
        if experiment_id is not None and not any(experiment_id in one for one in known):
            raise unknown_experiment(experiment_id, unfinished=True)
        chosen = [
            (experiment, fault)
            for experiment, fault in (*self._live(), *self._accepted.faults())
            if fault_id in (None, fault.id) and experiment_id in (None, experiment.id)
        ]
        if fault_id is not None and not chosen:
            raise unknown_fault(fault_id)
        for experiment, fault in chosen:
            if experiment.id in self._experiments:
                assert self._injector is not None  # noqa: S101 - it has injected them
                self._injector.stop(fault.fault)
            fault.end_s = max(self._now_s, fault.fault.start_s)
            self._end(experiment, fault, FaultEnd.STOPPED, self._now_s)
        for experiment in {experiment.id: experiment for experiment, _ in chosen}.values():
            if not any(fault.live for fault in experiment.faults):
                experiment.until_s = self._now_s
            self._note_changed(experiment)
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
                self._end(experiment, fault, FaultEnd.OVER, fault.end_s)
                self._changed[experiment.id] = experiment.record()

    def update(self, findings: Findings) -> None:
        """Process the findings of that step."""
        experiments = list(self._experiments.values())
        if findings.graph is not self._findings.graph:
            change = GraphChange(self._findings.graph, findings.graph)
            self._paths = FaultPaths(findings.graph)
            for experiment in (*experiments, *self._accepted.values()):
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
        self._closed = True
        if self._injector is not None:
            self._injector.stop_all()
        for _, fault in (*self._live(), *self._accepted.faults()):
            fault.end_s = self._now_s
            fault.ended_by = FaultEnd.RUN_ENDED
        for experiment in self._accepted.values():
            experiment.end(ExperimentEnd.RUN_ENDED, self._now_s)
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

    def _accept(
        self,
        faults: tuple[Fault, ...],
        request_id: str,
        content: str,
        scenario: str = "",
        until_s: float = 0.0,
    ) -> Injection:
        """Accept an experiment: of a named scenario, or of one fault."""
        present = sum(1 for _ in (*self._live(), *self._accepted.faults()))
        if present + len(faults) > self._max_faults:
            raise too_many_faults(self._max_faults)
        tracked = self._accepted.plan(
            faults, self._now_s, self._findings, self._paths, scenario, until_s
        )
        injection = Injection(tracked.record(), request_id, content)
        self._requests.remember(injection)
        return injection

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

    def _end(
        self, experiment: TrackedExperiment, fault: TrackedFault, by: FaultEnd, at_s: float
    ) -> None:
        fault.ended_by = by
        if experiment.id in self._accepted:
            return  # `begin` tells it, if the fault is stored at all
        kind = EventKind.FAULT_STOPPED if by is FaultEnd.STOPPED else EventKind.FAULT_ENDED
        self._add_event(kind, fault, at_s)

    def _add_event(self, kind: EventKind, fault: TrackedFault, at_s: float) -> None:
        record = fault.record(self._run)
        sentence, names = text.of_fault(record, kind), text.affected_services(record)
        self._events.append(Event(kind, self._run.at(at_s), names, sentence, record))

    def _note_changed(self, experiment: TrackedExperiment) -> None:
        if experiment.id in self._experiments:
            self._changed[experiment.id] = experiment.record()

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
