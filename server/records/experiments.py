"""Experiments, and the faults in them: immutable records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from server.records.findings import Objective
from telemetry.faults import FaultKind


class FaultEnd(StrEnum):
    """Why a fault has ended."""

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
        Start and end; the end is earlier than planned if it was stopped.
    ended_by
        Why it ended; None while it is active or scheduled.
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
    """Progress of an experiment."""

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
    """Share of a service's error budget, of a whole period, that an experiment spent."""

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
        Other experiments that may have broken it as well; which one did is not known.
    alarm_id, lead_s
        Alarm that foretold it, and its lead time, seconds; "" and None if none did.
    budget
        Shares of its error budgets that it spent during the experiment.
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
    """Outcome of an experiment.

    Attributes
    ----------
    broke
        Services that broke, by onset.
    alarm_ids
        Alarms that were raised during it, in order.
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
    """Faults that were requested together, and their outcome.

    Attributes
    ----------
    id, run_id, number
        Unique identifier; its run; its number in that run, counted from 1.
    name
        Name of the scenario, or the kind of the fault and its target.
    scenario
        Whether it came as a scenario.
    state, ended_by
        Progress of the experiment; why it is finished, None before.
    start, end
        Start of its first fault; when it was finished, None before; simulated clock.
    faults
        Injected faults, by start.
    outcome
        Outcome so far.
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


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request for faults that has an identifier, and its answer.

    Attributes
    ----------
    request_id
        Identifier that the client chose.
    content
        Digest of what was asked for.
    experiment
        The experiment as it was accepted.
    """

    request_id: str
    content: str
    experiment: Experiment
