"""What is told of experiments: immutable records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.pipeline.snapshot import ActiveFault, Run
from server.records.findings import Objective
from telemetry.faults import FaultKind


class FaultEnd(StrEnum):
    """Why a fault does not act any more."""

    OVER = "over"
    STOPPED = "stopped"
    RUN_ENDED = "run_ended"


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault with its times on the simulated clock.

    Attributes
    ----------
    id
        Unique within its run.
    experiment_id
        Experiment that it is a part of.
    target, kind, duration_s, intensity, ramp_s, share
        As in `telemetry.faults.Fault`.
    start, end
        When it begins; when it ends or ended, which is earlier than planned if it was stopped.
    ended_by
        None while it acts or is still to begin.
    """

    id: str
    experiment_id: str
    target: str
    kind: FaultKind
    duration_s: float
    intensity: float
    ramp_s: float
    share: float
    start: datetime
    end: datetime
    ended_by: FaultEnd | None = None


class ExperimentState(StrEnum):
    """How far an experiment is."""

    RUNNING = "running"
    RECOVERING = "recovering"
    FINISHED = "finished"


class ExperimentEnd(StrEnum):
    """Why an experiment is finished."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    NOT_RECOVERED = "not_recovered"
    RUN_ENDED = "run_ended"


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """Share of a service's error budget of a whole period that went during an experiment."""

    objective: Objective
    share: float


@dataclass(frozen=True, slots=True)
class Breakage:
    """A service that broke under an experiment; times on the simulated clock.

    Attributes
    ----------
    service, onset, last_breach
        As in `server.records.findings.ServiceIncident`.
    recovered
        Whether its incident is over.
    fault_ids
        Faults of the experiment that may have broken it, by time and by calls.
    also_under
        Other experiments that it broke under as well: which of them did it cannot be told.
    alarm_id, lead_s
        Alarm that foretold it, and by how much; "" and None if none did.
    budget
        What it spent of its error budgets while it was watched, of those that it touched.
    """

    service: str
    onset: datetime
    last_breach: datetime
    recovered: bool
    fault_ids: tuple[str, ...]
    also_under: tuple[str, ...]
    alarm_id: str
    lead_s: float | None
    budget: tuple[BudgetSpent, ...]


@dataclass(frozen=True, slots=True)
class ExperimentOutcome:
    """What an experiment led to.

    Attributes
    ----------
    broke
        What broke, in order.
    alarm_ids
        Alarms that were raised on its way, in order.
    first_alarm_s
        From its start to the first of them, seconds; None without any.
    foretold
        Whether an alarm of its own came at least 4 s before the first onset and proved right.
    lead_s
        From the first such alarm to the first onset, seconds; None if it was not foretold.
    recovery_s
        From the end of its last fault to the last breach of all that broke, at least 0, seconds;
        None while something has not recovered, and if nothing broke.
    """

    broke: tuple[Breakage, ...] = ()
    alarm_ids: tuple[str, ...] = ()
    first_alarm_s: float | None = None
    foretold: bool = False
    lead_s: float | None = None
    recovery_s: float | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One request to inject something, and what became of it.

    Attributes
    ----------
    id, run_id, number
        Unique; the run it belongs to; its number in that run, from 1 on.
    name
        Of the scenario, or what was done to whom.
    scenario
        Whether it came as a scenario.
    state, ended_by
        How far it is; why it is finished, else None.
    start, end
        When its first fault begins; when it was finished, None before; simulated clock.
    faults
        What was injected, by start.
    outcome
        What it led to so far.
    """

    id: str
    run_id: str
    number: int
    name: str
    scenario: bool
    state: ExperimentState
    ended_by: ExperimentEnd | None
    start: datetime
    end: datetime | None
    faults: tuple[InjectedFault, ...]
    outcome: ExperimentOutcome


def injected(
    active: ActiveFault, run: Run, end_s: float | None = None, ended_by: FaultEnd | None = None
) -> InjectedFault:
    """Describe a fault of a run; `end_s`, seconds of the run, is when it ends if not as planned."""
    stated = active.fault
    end_s = stated.end_s if end_s is None else end_s
    return InjectedFault(
        id=active.id,
        experiment_id=active.experiment_id,
        target=stated.target,
        kind=stated.kind,
        duration_s=stated.duration_s,
        intensity=stated.intensity,
        ramp_s=stated.ramp_s,
        share=stated.share,
        start=run.start_time + timedelta(seconds=stated.start_s),
        end=run.start_time + timedelta(seconds=end_s),
        ended_by=ended_by,
    )
