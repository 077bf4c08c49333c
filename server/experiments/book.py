"""The book of one run: which faults act, and the experiments that are watched."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from server.errors import too_many_faults, unknown_experiment, unknown_fault
from server.experiments import text as words
from server.experiments.attribution import put_down
from server.experiments.paths import Ways
from server.experiments.requests import explained
from server.experiments.tracked import Part, WatchedExperiment
from server.pipeline.snapshot import ActiveFault, Run
from server.pipeline.stages import Watched
from server.records.events import EventKind, Happening
from server.records.experiments import Experiment, ExperimentEnd, FaultEnd, InjectedFault
from simulator.simulation import Simulation
from telemetry.faults import Fault, FaultError

MOST_WATCHED = 200
"""Experiments whose faults are over are finished early, the oldest first, beyond so many."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be injected as one experiment.

    Attributes
    ----------
    faults
        With their times in the run.
    name
        Of the scenario; "" for a single fault.
    until_s
        Until when it runs at least, seconds since the start of the run.
    """

    faults: tuple[Fault, ...]
    name: str = ""
    until_s: float = 0.0


class ChaosBook:
    """Keeps the faults and experiments of one run; not safe to use from several threads.

    Parameters
    ----------
    simulation, run
        What the faults act on.
    watched
        What was found last in the run.
    max_faults
        That may act or wait at a time.
    """

    def __init__(self, simulation: Simulation, run: Run, watched: Watched, max_faults: int) -> None:
        self._simulation, self._run, self._watched = simulation, run, watched
        self._max_faults = max_faults
        self._ways = Ways(run.graph)
        self._fault_numbers, self._numbers = itertools.count(1), itertools.count(1)
        self._experiments: dict[str, WatchedExperiment] = {}
        self._changed: dict[str, Experiment] = {}
        self._happened: list[Happening] = []

    def inject(self, plan: Plan) -> WatchedExperiment:
        """Begin an experiment.

        Raises
        ------
        ServerError
            TOO_MANY_FAULTS, or INVALID_FIELD for what is not possible; nothing is changed then.
        """
        live = sum(1 for _ in self._live())
        if live + len(plan.faults) > self._max_faults:
            raise too_many_faults(self._max_faults)
        number = next(self._numbers)
        experiment_id = f"x-{self._run.id}-{number}"
        parts = []
        for fault in sorted(plan.faults, key=lambda fault: fault.start_s):
            try:
                self._simulation.inject(fault)
            except FaultError as error:
                raise explained(error) from error
            active = ActiveFault(f"f-{next(self._fault_numbers)}", fault, experiment_id)
            parts.append(Part(active, self._ways.of(fault), fault.end_s))
        first = parts[0].active.fault
        experiment = WatchedExperiment(
            run=self._run,
            id=experiment_id,
            number=number,
            name=plan.name or f"{words.kind_of(first.kind)} on {first.target}",
            scenario=bool(plan.name),
            ways=self._ways,
            parts=tuple(parts),
            start_s=first.start_s,
            until_s=plan.until_s,
            counted=self._watched.slos.counted,
            watched=self._watched,
        )
        self._experiments[experiment_id] = experiment
        self._begin(self._simulation.time_s)
        self._changed[experiment_id] = experiment.record()
        self._finish_early()
        return experiment

    def acting(self) -> tuple[ActiveFault, ...]:
        """Faults that act now or from the next step on, in the order in which they began."""
        found = [part.active for _, part in self._live() if part.begun]
        return tuple(sorted(found, key=lambda active: active.fault.start_s))

    def stop(
        self, *, fault_id: str | None = None, experiment_id: str | None = None
    ) -> list[InjectedFault]:
        """End one fault, those of one experiment, or all, before they end or begin.

        Raises
        ------
        ServerError
            UNKNOWN_FAULT, UNKNOWN_EXPERIMENT.
        """
        if experiment_id is not None and experiment_id not in self._experiments:
            raise unknown_experiment(experiment_id, going_on=True)
        chosen = [
            (experiment, part)
            for experiment, part in self._live()
            if fault_id in (None, part.active.id) and experiment_id in (None, experiment.id)
        ]
        if fault_id is not None and not chosen:
            raise unknown_fault(fault_id)
        now_s = self._simulation.time_s
        for _, part in chosen:
            self._simulation.stop(part.active.fault)
            part.end_s = max(now_s, part.active.fault.start_s)
            self._end(part, FaultEnd.STOPPED, now_s)
        for experiment in {experiment.id: experiment for experiment, _ in chosen}.values():
            if all(part.ended_by is not None for part in experiment.parts):
                experiment.until_s = now_s
            self._changed[experiment.id] = experiment.record()
        return [part.record(self._run) for experiment, part in chosen]

    def advance(self) -> None:
        """Note which faults began and ended with the step that was simulated."""
        now_s = self._simulation.time_s
        self._begin(now_s)
        for experiment, part in list(self._live()):
            if part.end_s <= now_s:
                self._end(part, FaultEnd.OVER, part.end_s)
                self._changed[experiment.id] = experiment.record()

    def take(self, watched: Watched) -> None:
        """Take what was found with that step."""
        self._watched = watched
        now_s = self._simulation.time_s
        experiments = list(self._experiments.values())
        touched = {one.id for one in experiments if one.take(watched)}
        if len(watched.began):
            touched |= put_down(watched, experiments)
        for experiment in experiments:
            if experiment.finish(now_s):
                self._forget(experiment)
            elif experiment.id in touched:
                self._changed[experiment.id] = experiment.record()

    def close(self) -> None:
        """End the run: what acts and what is watched ends with it."""
        now_s = self._simulation.time_s
        for _, part in list(self._live()):
            part.end_s = now_s
            part.ended_by = FaultEnd.RUN_ENDED
        for experiment in list(self._experiments.values()):
            experiment.end(ExperimentEnd.RUN_ENDED, now_s)
            self._forget(experiment)

    def unfinished(self) -> list[Experiment]:
        """Experiments that are watched, as they are now, by number."""
        return [experiment.record() for experiment in self._experiments.values()]

    def drain(self) -> tuple[list[Experiment], list[Happening]]:
        """Give, once, the experiments that changed, and what happened to faults."""
        changed, happened = list(self._changed.values()), self._happened
        self._changed, self._happened = {}, []
        return changed, happened

    def _live(self) -> Iterator[tuple[WatchedExperiment, Part]]:
        for experiment in self._experiments.values():
            for part in experiment.parts:
                if part.ended_by is None:
                    yield experiment, part

    def _begin(self, now_s: float) -> None:
        for _, part in self._live():
            if not part.begun and part.active.fault.start_s <= now_s:
                part.begun = True
                self._tell(EventKind.FAULT_STARTED, part, part.active.fault.start_s)

    def _end(self, part: Part, by: FaultEnd, at_s: float) -> None:
        part.ended_by = by
        kind = EventKind.FAULT_STOPPED if by is FaultEnd.STOPPED else EventKind.FAULT_ENDED
        self._tell(kind, part, at_s)

    def _tell(self, kind: EventKind, part: Part, at_s: float) -> None:
        fault = part.record(self._run)
        time = self._run.start_time + timedelta(seconds=at_s)
        self._happened.append(
            Happening(kind, time, words.concerned(fault), words.of_fault(fault, kind), fault)
        )

    def _forget(self, experiment: WatchedExperiment) -> None:
        self._changed[experiment.id] = experiment.record()
        del self._experiments[experiment.id]

    def _finish_early(self) -> None:
        idle = [
            experiment
            for experiment in self._experiments.values()
            if all(part.ended_by is not None for part in experiment.parts)
        ]
        for experiment in idle[: max(0, len(self._experiments) - MOST_WATCHED)]:
            experiment.end(ExperimentEnd.COMPLETED, self._simulation.time_s)
            self._forget(experiment)
