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
    UNKNOWN = auto()


class IncidentState(StrEnum):
    """Whether an incident is open or closed."""

    OPEN = "open"
    CLOSED = "closed"


class IncidentEnd(StrEnum):
    """Why an incident is closed."""

    RECOVERED = "recovered"
    MERGED = "merged"
    RUN_ENDED = "run_ended"
    SERVICE_REMOVED = "service_removed"


class AlarmOutcome(StrEnum):
    """Whether an alarm was right.

    What would have happened had a fault lasted longer is not known live.
    """

    PENDING = "pending"
    FORETOLD = "foretold"
    FALSE = "false"
    LATE = "late"
    RUN_ENDED = "run_ended"
    SERVICE_REMOVED = "service_removed"


class Objective(StrEnum):
    """A kind of service level objective."""

    LATENCY = "latency"
    ERROR_RATE = "error_rate"
    AVAILABILITY = "availability"
    THROUGHPUT = "throughput"


class Severity(StrEnum):
    """How soon somebody must react."""

    TICKET = "ticket"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Peak:
    """The worst value, and the start of its interval, simulated clock."""

    value: float
    time: datetime


@dataclass(frozen=True, slots=True)
class ServiceIncident:
    """One incident of one service, as `ml.definitions.incidents` defines it; simulated times.

    Attributes
    ----------
    service
        Name of the service.
    onset
        Start of its first breached interval.
    last_breach
        End of its last breached interval so far.
    end
        End of the first 30 s without a breach; None while it is open.
    error_rate, latency_p95
        Worst error rate in percent, worst 95th percentile in ms; None if never observed.
    alarm_id
        Alarm that foretold it; "" if none did.
    lead_s
        Lead time of that alarm, seconds; None if there was none.
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
        Unique identifier; its run; its number in that run, counted from 1.
    state, closed_by
        Whether it is open or closed; why it was closed, None while it is open.
    merged_into
        Identifier of the older incident that it was merged into, else "".
    onset, end
        Onset in the first of its services; end in the last one, None while it is open.
    origin
        Probable origin: see `server.pipeline.incidents.probable_origin`.
    lead_s
        How long before `onset` the first alarm came that foretold one of its services; None if
        none was at least 4 s before.
    services
        Incidents of its services, by onset; a service that broke twice is listed twice.
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
        Unique identifier; its run; its number in that run, counted from 1.
    service
        Service whose incident it predicts.
    raised
        End of the interval whose prediction raised it.
    ended
        When it was cleared; None while it is raised.
    probability, highest_probability
        Probability when it was raised, and the highest one since.
    incident_type
        Most likely one when it was raised, a value of `ml.definitions.incident_types.IncidentType`.
    model_version
        Version of the model that raised it.
    outcome
        Whether it was right, as far as that is known.
    lead_s
        Time from the alarm to the onset, seconds; None unless it foretold an incident.
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
    """An alert that an error budget burns too fast.

    Attributes
    ----------
    service, objective
        Service, and its objective.
    severity
        How soon somebody must react.
    firing
        Whether it fires; False once it has cleared.
    since
        When it began to fire: end of the interval, simulated clock.
    burn_rate
        Highest burn rate over the long window of its policies, now or when it cleared.
    """

    service: str
    objective: Objective
    severity: Severity
    firing: bool
    since: datetime
    burn_rate: float
