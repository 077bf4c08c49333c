"""What the pipeline finds: immutable records in the terms of `docs/evaluation.md`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto


class Status(Enum):
    """State of a service over one interval."""

    HEALTHY = auto()
    DEGRADED = auto()
    DOWN = auto()


class IncidentState(StrEnum):
    """Whether an incident goes on."""

    OPEN = "open"
    CLOSED = "closed"


class IncidentEnd(StrEnum):
    """Why an incident is closed."""

    RECOVERED = "recovered"
    MERGED = "merged"
    RUN_ENDED = "run_ended"
    SERVICE_REMOVED = "service_removed"


class AlarmOutcome(StrEnum):
    """How an alarm turned out; what would have followed had a fault gone on is not known live."""

    PENDING = "pending"
    FORETOLD = "foretold"
    FALSE = "false"
    LATE = "late"
    RUN_ENDED = "run_ended"
    SERVICE_REMOVED = "service_removed"


class Objective(StrEnum):
    """What is promised of a service."""

    LATENCY = "latency"
    ERROR_RATE = "error_rate"
    AVAILABILITY = "availability"
    THROUGHPUT = "throughput"


class Severity(StrEnum):
    """How soon somebody must look."""

    TICKET = "ticket"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Peak:
    """The worst value, and the start of its interval, simulated clock."""

    value: float
    time: datetime


@dataclass(frozen=True, slots=True)
class ServiceIncident:
    """One incident of one service, as `ml.definitions.incidents` tells it; simulated times.

    Attributes
    ----------
    service
        Whose.
    onset
        Start of its first breached interval.
    last_breach
        End of its last breached interval so far.
    end
        When 30 s without a breach were over; None while it goes on.
    error_rate, latency_p95
        Worst error rate in percent, worst 95th percentile in ms; None if never observed.
    alarm_id
        Alarm that foretold it; "" if none did.
    lead_s
        By how much; None if it was not foretold.
    """

    service: str
    onset: datetime
    last_breach: datetime
    end: datetime | None
    error_rate: Peak | None
    latency_p95: Peak | None
    alarm_id: str = ""
    lead_s: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Incidents of services that overlap in time and call each other, as one.

    Attributes
    ----------
    id, run_id, number
        Unique; the run it belongs to; its number in that run, from 1 on.
    state, closed_by
        Whether it goes on; why not, else None.
    merged_into
        Identifier of the older incident that it proved a part of, else "".
    onset, end
        Onset of the first of its services; end of the last, None while one goes on.
    origin
        Probable one: see `server.pipeline.incidents.probable_origin`.
    lead_s
        How long before `onset` the first alarm came that foretold one of its services; None if
        none was at least 4 s before.
    services
        By onset. A service that broke, recovered and broke again is there twice.
    """

    id: str
    run_id: str
    number: int
    state: IncidentState
    closed_by: IncidentEnd | None
    merged_into: str
    onset: datetime
    end: datetime | None
    origin: str
    lead_s: float | None
    services: tuple[ServiceIncident, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Affected services, each once, by onset."""
        return tuple(dict.fromkeys(found.service for found in self.services))


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one service; all times on the simulated clock.

    Attributes
    ----------
    id, run_id, number
        Unique; the run it belongs to; its number in that run, from 1 on.
    service
        Whose incident it foretells.
    raised
        End of the interval whose prediction raised it.
    ended
        When it was no longer raised; None while it is.
    probability, highest_probability
        When it was raised; the highest while it is.
    incident_type
        Most likely one when it was raised, a value of `ml.definitions.incident_types.IncidentType`.
    model_version
        Which model raised it.
    outcome
        How it turned out.
    lead_s
        From the alarm to the onset; None unless it foretold one.
    """

    id: str
    run_id: str
    number: int
    service: str
    raised: datetime
    ended: datetime | None
    probability: float
    highest_probability: float
    incident_type: str
    model_version: str
    outcome: AlarmOutcome
    lead_s: float | None


@dataclass(frozen=True, slots=True)
class SloAlert:
    """An error budget of a service that burns too fast.

    Attributes
    ----------
    service, objective
        Whose, and which.
    severity
        How soon somebody must look.
    firing
        Whether it goes on.
    since
        When it fired, end of the interval, simulated clock.
    burn_rate
        Of the policy that is exceeded the most, over its long window, now or when it cleared.
    """

    service: str
    objective: Objective
    severity: Severity
    firing: bool
    since: datetime
    burn_rate: float
