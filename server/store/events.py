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
from server.store.documents import (
    DOCUMENT_VERSION,
    RecordError,
    drop_oldest,
    field,
    parsed,
    plain,
    readable,
)
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


def add(connection: Connection, system: str, logged: Sequence[LoggedEvent]) -> None:
    """Store events of a system, in their order."""
    if not logged:
        return
    rows = [
        {
            "system": system,
            "version": DOCUMENT_VERSION,
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


def latest(connection: Connection, system: str, limit: int = MAX_RECORDS) -> list[LoggedEvent]:
    """Read the latest events of a system, oldest first; those that cannot be read are left out."""
    query = select(events).where(events.c.system == system)
    newest = query.order_by(events.c.id.desc()).limit(limit)
    return readable(reversed(connection.execute(newest).all()), _event)


def drop_old(connection: Connection, system: str) -> None:
    """Delete all but the newest events of a system, as many as the log has in memory."""
    drop_oldest(connection, events, system, MAX_RECORDS)


def _event(row: Row[Any]) -> LoggedEvent:
    kind = _kind(row.kind)
    detail, record_type = row.document.get("detail"), _DETAILS.get(kind)
    return LoggedEvent(
        run_id=row.run_id,
        sequence=row.sequence,
        produced=row.produced,
        kind=kind,
        time=row.time,
        services=tuple(field(row.document, "services")),
        text=field(row.document, "text"),
        detail=None if record_type is None or detail is None else parsed(record_type, detail),
    )


def _kind(stored: str) -> EventKind:
    try:
        return EventKind(stored)
    except ValueError as error:
        raise RecordError(
            f"expected a kind of event that this version knows, got {stored!r}"
        ) from error
