"""Events, and the records that they are about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from server.records.experiments import InjectedFault
from server.records.findings import Alarm, Incident, SloAlert, Status

MAX_RECORDS = 10_000
"""Number of events that are kept, the latest ones."""


class EventKind(StrEnum):
    """Kind of an event."""

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
    """A change of the status of a service."""

    before: Status
    after: Status


@dataclass(frozen=True, slots=True)
class RunStart:
    """Topology and seed of a run."""

    topology: str
    seed: int


@dataclass(frozen=True, slots=True)
class TopologyChange:
    """Services that were added and removed; calls between services may have changed, too."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model that went live."""

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
        Kind of the event.
    time
        When it was recognised, simulated clock.
    services
        Affected services; none: the whole system.
    text
        Sentence for people.
    detail
        The record that changed.
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
        Its run, and its number in that run, from 1 on, without gaps.
    produced
        When it was recorded, wall clock.
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
