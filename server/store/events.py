"""The latest events of this run and of earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Row

from server.records.events import (
    MAX_RECORDS,
    EventKind,
    LoggedEvent,
    ModelChange,
    RunStart,
    StatusChange,
    TopologyChange,
)
from server.records.experiments import InjectedFault
from server.records.findings import Alarm, Incident, SloAlert
from server.store.documents import parsed, plain, prune
from server.store.schema import events

_DETAILS: dict[EventKind, type[Any]] = {
    EventKind.RUN_STARTED: RunStart,
    EventKind.TOPOLOGY_CHANGED: TopologyChange,
    EventKind.FAULT_STARTED: InjectedFault,
    EventKind.FAULT_ENDED: InjectedFault,
    EventKind.FAULT_STOPPED: InjectedFault,
    EventKind.STATUS_CHANGED: StatusChange,
    EventKind.ALARM_RAISED: Alarm,
    EventKind.ALARM_ENDED: Alarm,
    EventKind.SLO_ALERT_FIRED: SloAlert,
    EventKind.SLO_ALERT_CLEARED: SloAlert,
    EventKind.INCIDENT_OPENED: Incident,
    EventKind.INCIDENT_SPREAD: Incident,
    EventKind.INCIDENT_CLOSED: Incident,
    EventKind.MODEL_ACTIVATED: ModelChange,
}


def add(connection: Connection, logged: Sequence[LoggedEvent]) -> None:
    """Store events, in their order."""
    if not logged:
        return
    rows = [
        {
            "run_id": event.run_id,
            "sequence": event.sequence,
            "kind": event.kind.value,
            "time": event.time,
            "produced": event.produced,
            "document": {
                "services": list(event.services),
                "text": event.text,
                "detail": plain(event.detail),
            },
        }
        for event in logged
    ]
    connection.execute(insert(events), rows)


def latest(connection: Connection, limit: int = MAX_RECORDS) -> list[LoggedEvent]:
    """Read the latest events, oldest first."""
    query = select(events).order_by(events.c.id.desc()).limit(limit)
    return [_event(row) for row in reversed(connection.execute(query).all())]


def drop_old(connection: Connection) -> None:
    """Delete all but the newest events, as many as the log has in memory."""
    prune(connection, events, MAX_RECORDS)


def _event(row: Row[Any]) -> LoggedEvent:
    kind = EventKind(row.kind)
    detail, record_type = row.document["detail"], _DETAILS.get(kind)
    return LoggedEvent(
        run_id=row.run_id,
        sequence=row.sequence,
        produced=row.produced,
        kind=kind,
        time=row.time,
        services=tuple(row.document["services"]),
        text=row.document["text"],
        detail=None if record_type is None or detail is None else parsed(record_type, detail),
    )
