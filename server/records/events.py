"""What happened: events, and what each is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from server.records.experiments import InjectedFault
from server.records.findings import Alarm, Incident, SloAlert, Status

MAX_RECORDS = 10_000
"""The latest events are kept, so many of them."""


class EventKind(StrEnum):
    """What happened."""

    RUN_STARTED = "run_started"
    TOPOLOGY_CHANGED = "topology_changed"
    FAULT_STARTED = "fault_started"
    FAULT_ENDED = "fault_ended"
    FAULT_STOPPED = "fault_stopped"
    KILL_SWITCH_ENGAGED = "kill_switch_engaged"
    KILL_SWITCH_LIFTED = "kill_switch_lifted"
    STATUS_CHANGED = "status_changed"
    ALARM_RAISED = "alarm_raised"
    ALARM_ENDED = "alarm_ended"
    SLO_ALERT_FIRED = "slo_alert_fired"
    SLO_ALERT_CLEARED = "slo_alert_cleared"
    INCIDENT_OPENED = "incident_opened"
    INCIDENT_SPREAD = "incident_spread"
    INCIDENT_CLOSED = "incident_closed"
    MODEL_ACTIVATED = "model_activated"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A service that stands otherwise than an interval before."""

    before: Status
    after: Status


@dataclass(frozen=True, slots=True)
class RunStart:
    """What a run is of."""

    topology: str
    seed: int


@dataclass(frozen=True, slots=True)
class TopologyChange:
    """Services that came and went; calls between them may have changed, too."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model that is used from now on."""

    version: str


Detail = (
    InjectedFault
    | StatusChange
    | Alarm
    | SloAlert
    | Incident
    | RunStart
    | TopologyChange
    | ModelChange
    | None
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    kind
        What.
    time
        When it was known, simulated clock.
    services
        Services that it concerns; none: the whole system.
    text
        The same in one plain sentence.
    detail
        Record that it is about.
    """

    kind: EventKind
    time: datetime
    services: tuple[str, ...]
    text: str
    detail: Detail = None


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with its place in the log.

    Attributes
    ----------
    run_id, sequence
        Its run, and its number in that run, from 1 on, without holes.
    produced
        When it was noticed, wall clock.
    kind, time, services, text, detail
        As in `Event`.
    """

    run_id: str
    sequence: int
    produced: datetime
    kind: EventKind
    time: datetime
    services: tuple[str, ...]
    text: str
    detail: Detail
