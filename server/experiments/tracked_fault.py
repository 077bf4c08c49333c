"""One fault of an experiment that is not finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ml.definitions.incidents import BoolArray
from server.experiments.paths import ATTRIBUTION_WINDOW_S
from server.pipeline.snapshot import Run
from server.records.experiments import FaultEnd, InjectedFault
from telemetry.faults import Fault


@dataclass(eq=False, slots=True)
class TrackedFault:
    """A fault of an experiment.

    Attributes
    ----------
    id, experiment_id
        As in `InjectedFault`.
    fault
        The fault, with its times in the run.
    path
        Services on its path, (S,); see `FaultPaths`.
    end_s
        Planned or actual end, seconds since the start of the run.
    started, ended_by
        Whether it has started; why it ended, None before.
    """

    id: str
    experiment_id: str
    fault: Fault
    path: BoolArray
    end_s: float
    started: bool = False
    ended_by: FaultEnd | None = None

    @property
    def live(self) -> bool:
        """Whether it is active or scheduled."""
        return self.ended_by is None

    def may_break(self, at_s: Any) -> Any:
        """Whether it may have caused what breaks at a time, or at each of several times."""
        return (self.fault.start_s < at_s) & (at_s <= self.end_s + ATTRIBUTION_WINDOW_S)

    def record(self, run: Run) -> InjectedFault:
        """Make a record of the present state."""
        fault = self.fault
        return InjectedFault(
            id=self.id,
            experiment_id=self.experiment_id,
            target=fault.target,
            kind=fault.kind,
            duration_s=fault.duration_s,
            intensity=fault.intensity,
            ramp_s=fault.ramp_s,
            share=fault.share,
            start=run.at(fault.start_s),
            end=run.at(self.end_s),
            ended_by=self.ended_by,
        )
