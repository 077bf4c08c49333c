"""What happened, from one snapshot to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from dashboard.numbers import duration, probability
from sre_edge.v1 import fault_pb2, prediction_pb2, snapshot_pb2

_STATUS_TEXT = {
    snapshot_pb2.STATUS_HEALTHY: "is healthy again",
    snapshot_pb2.STATUS_DEGRADED: "is degraded",
    snapshot_pb2.STATUS_DOWN: "is down",
}
_STATUS_KIND = {
    snapshot_pb2.STATUS_HEALTHY: "recovered",
    snapshot_pb2.STATUS_DEGRADED: "degraded",
    snapshot_pb2.STATUS_DOWN: "down",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the event list.

    Attributes
    ----------
    time
        Simulated clock.
    kind
        "fault", "warning", "degraded", "down", "recovered" or "run": how it looks.
    text
        One sentence.
    """

    time: datetime
    kind: str
    text: str


def kind_name(kind: fault_pb2.FaultKind.ValueType) -> str:
    """Name a kind of fault as people write it, such as "service kill"."""
    return fault_pb2.FaultKind.Name(kind).removeprefix("FAULT_KIND_").lower().replace("_", " ")


def level_name(level: prediction_pb2.RiskLevel.ValueType) -> str:
    """Name a risk level, such as "high"."""
    return prediction_pb2.RiskLevel.Name(level).removeprefix("RISK_LEVEL_").lower()


def between(before: snapshot_pb2.Snapshot | None, after: snapshot_pb2.Snapshot) -> list[Event]:
    """Events that happened from one snapshot to the next, oldest first."""
    time = after.time.ToDatetime(tzinfo=UTC)
    if before is None or before.cursor.run_id != after.cursor.run_id:
        return [Event(time, "run", "A new run begins")]
    return [
        *_faults(before, after, time),
        *_risks(before, after, time),
        *_statuses(before, after, time),
    ]


def _faults(
    before: snapshot_pb2.Snapshot, after: snapshot_pb2.Snapshot, time: datetime
) -> list[Event]:
    old = {fault.id: fault for fault in before.active_faults}
    new = {fault.id: fault for fault in after.active_faults}
    began = [
        Event(
            time,
            "fault",
            f"{kind_name(fault.kind).capitalize()} injected into {fault.target} for "
            f"{duration(fault.duration.ToTimedelta().total_seconds())}",
        )
        for fault in after.active_faults
        if fault.id not in old
    ]
    ended = [
        Event(time, "fault", f"{kind_name(fault.kind).capitalize()} on {fault.target} ended")
        for fault in before.active_faults
        if fault.id not in new
    ]
    return began + ended


def _risks(
    before: snapshot_pb2.Snapshot, after: snapshot_pb2.Snapshot, time: datetime
) -> list[Event]:
    old = {service.service: service.prediction.risk_level for service in before.services}
    found = []
    for service in after.services:
        level = service.prediction.risk_level
        rises = level > max(old.get(service.service, level), prediction_pb2.RISK_LEVEL_LOW)
        if rises:
            chance = probability(service.prediction.incident_probability)
            text = f"Risk of {service.service} is {level_name(level)}: {chance}"
            found.append(Event(time, "warning", text))
    return found


def _statuses(
    before: snapshot_pb2.Snapshot, after: snapshot_pb2.Snapshot, time: datetime
) -> list[Event]:
    old = {service.service: service.status for service in before.services}
    return [
        Event(
            time, _STATUS_KIND[service.status], f"{service.service} {_STATUS_TEXT[service.status]}"
        )
        for service in after.services
        if service.status != old.get(service.service, service.status)
        and service.status in _STATUS_TEXT
    ]
