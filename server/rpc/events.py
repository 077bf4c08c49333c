"""Events, as messages: pure functions."""

from __future__ import annotations

from server.records.events import (
    Detail,
    EventKind,
    LoggedEvent,
    ModelChange,
    RunStart,
    StatusChange,
    TopologyChange,
)
from server.records.experiments import InjectedFault
from server.records.findings import Alarm, Incident, SloAlert
from server.rpc import times
from server.rpc.convert import STATUSES
from server.rpc.enums import EnumMap
from server.rpc.faults import fault
from server.rpc.incidents import alarm, incident
from server.rpc.slos import alert
from server.systems.event_log import LostEvents
from sre_edge.v1 import event_pb2, incident_service_pb2, snapshot_pb2

KINDS = EnumMap(EventKind, event_pb2.EventKind, "EVENT_KIND")


def event(record: LoggedEvent, system: str) -> incident_service_pb2.StreamEventsResponse:
    """Convert an event of a system to a message of the stream."""
    message = event_pb2.Event(
        cursor=event_pb2.EventCursor(run_id=record.run_id, sequence=record.sequence),
        time=times.timestamp(record.time),
        produced_time=times.timestamp(record.produced),
        kind=KINDS.value[record.kind],
        services=record.services,
        text=record.text,
        system=system,
    )
    _add_subject(message, record.detail, system)
    return incident_service_pb2.StreamEventsResponse(event=message)


def position(run_id: str, sequence: int) -> incident_service_pb2.StreamEventsResponse:
    """Make the message that says after which event a stream starts."""
    cursor = event_pb2.EventCursor(run_id=run_id, sequence=sequence)
    return incident_service_pb2.StreamEventsResponse(position=cursor)


def gap(lost: LostEvents, *, slow: bool = False) -> incident_service_pb2.StreamEventsResponse:
    """Convert lost events to a message of the stream; `slow`: the client read too slowly."""
    reason = snapshot_pb2.GAP_REASON_HISTORY_EXPIRED
    if lost.first is None:
        reason = snapshot_pb2.GAP_REASON_RUN_ENDED
    elif slow:
        reason = snapshot_pb2.GAP_REASON_SLOW_SUBSCRIBER
    message = snapshot_pb2.Gap(
        reason=reason, run_id=lost.run_id, first_sequence=lost.first, last_sequence=lost.last
    )
    return incident_service_pb2.StreamEventsResponse(gap=message)


def _add_subject(message: event_pb2.Event, detail: Detail, system: str) -> None:
    match detail:
        case InjectedFault():
            message.fault.CopyFrom(fault(detail))
        case StatusChange():
            message.status_change.before = STATUSES.value[detail.before]
            message.status_change.after = STATUSES.value[detail.after]
        case Alarm():
            message.alarm.CopyFrom(alarm(detail, system))
        case SloAlert():
            message.slo_alert.CopyFrom(alert(detail))
        case Incident():
            message.incident.CopyFrom(incident(detail, system))
        case RunStart():
            message.run_start.topology = detail.topology
            message.run_start.seed = detail.seed
        case TopologyChange():
            message.topology_change.added.extend(detail.added)
            message.topology_change.removed.extend(detail.removed)
        case ModelChange():
            message.model_change.model_version = detail.version
        case None:
            pass
