"""Experiments that were accepted, and begin once they are stored."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from server.experiments import text
from server.experiments.injection import resolve_all
from server.experiments.paths import FaultPaths
from server.experiments.tracked_experiment import TrackedExperiment
from server.experiments.tracked_fault import TrackedFault
from server.pipeline.snapshot import Run
from server.pipeline.stages import Findings
from server.ports import FaultInjector
from telemetry.faults import Fault


class AcceptedExperiments(dict[str, TrackedExperiment]):
    """Accepted experiments of a run, by identifier; nothing of them acts.

    Parameters
    ----------
    injector
        Finds the targets of faults.
    run
        The run.
    """

    def __init__(self, injector: FaultInjector | None, run: Run) -> None:
        super().__init__()
        self._injector, self._run = injector, run
        self._fault_numbers, self._numbers = itertools.count(1), itertools.count(1)

    def plan(
        self,
        faults: Iterable[Fault],
        now_s: float,
        findings: Findings,
        paths: FaultPaths,
        scenario: str = "",
        until_s: float = 0.0,
    ) -> TrackedExperiment:
        """Add an experiment: of a named scenario, or of one fault; the times count from now.

        Raises
        ------
        ServerError
            INVALID_FIELD, if a fault is not possible.
        """
        assert self._injector is not None  # noqa: S101 - `check_accepting` looked
        resolved = resolve_all(self._injector, faults, now_s)
        number = next(self._numbers)
        experiment_id = f"x-{self._run.id}-{number}"
        self[experiment_id] = planned = TrackedExperiment(
            run=self._run,
            id=experiment_id,
            number=number,
            name=scenario or f"{text.kind_of(resolved[0].kind)} on {resolved[0].target}",
            scenario=bool(scenario),
            paths=paths,
            faults=tuple(
                TrackedFault(
                    f"f-{next(self._fault_numbers)}", experiment_id, fault, paths.of(fault),
                    fault.end_s,
                )
                for fault in resolved
            ),
            start_s=resolved[0].start_s,
            until_s=until_s,
            counted=findings.budgets.counted,
            findings=findings,
        )  # fmt: skip
        return planned

    def faults(self) -> Iterator[tuple[TrackedExperiment, TrackedFault]]:
        """Yield the faults that begin once they are stored, unless they are stopped before."""
        for experiment in self.values():
            for fault in experiment.faults:
                if fault.live:
                    yield experiment, fault
