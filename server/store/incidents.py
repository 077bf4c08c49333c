"""Incidents, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection

from server.records.findings import Incident, IncidentEnd, IncidentState
from server.store.documents import drop_oldest, parsed, plain, readable, save
from server.store.pages import Page, newest
from server.store.schema import incidents

MAX_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Selects incidents; None and "" stand for any.

    Attributes
    ----------
    service
        Name of an affected service.
    state
        Whether they are open or closed.
    since, until
        Range of time in which they were open at some time, simulated clock.
    """

    service: str = ""
    state: IncidentState | None = None
    since: datetime | None = None
    until: datetime | None = None


def put(connection: Connection, system: str, incident: Incident, stored: Any = None) -> None:
    """Store an incident, or update it; `stored` is its document as it was read."""
    values = {
        "open": incident.state is IncidentState.OPEN,
        # Names are DNS labels: with bars around it, a name is not found inside another one.
        "services": f"|{'|'.join(incident.names)}|",
        "onset": incident.onset,
        "ended": incident.end,
        "document": plain(incident, stored),
    }
    save(connection, incidents, system, incident.id, values)


def page(
    connection: Connection, system: str, criteria: IncidentFilter, before: int | None, size: int
) -> Page[Incident]:
    """Read incidents, the newest first, that are older than a position."""
    query = select(incidents).where(incidents.c.system == system)
    if criteria.service:
        query = query.where(incidents.c.services.contains(f"|{criteria.service}|", autoescape=True))
    if criteria.state is not None:
        query = query.where(incidents.c.open == (criteria.state is IncidentState.OPEN))
    if criteria.since is not None:
        ended = incidents.c.ended
        query = query.where(or_(ended.is_(None), ended > criteria.since))
    if criteria.until is not None:
        query = query.where(incidents.c.onset < criteria.until)
    return newest(connection, query, incidents, before, size, lambda d: parsed(Incident, d))


def end_run(connection: Connection) -> int:
    """Close the incidents that were open when a server ended; return how many."""
    rows = connection.execute(select(incidents).where(incidents.c.open))
    still_open = readable(rows, lambda row: (row, parsed(Incident, row.document)))
    for row, incident in still_open:
        ended = replace(
            incident,
            state=IncidentState.CLOSED,
            closed_by=IncidentEnd.RUN_ENDED,
            end=max(found.last_breach for found in incident.services),
        )
        put(connection, row.system, ended, row.document)
    return len(still_open)


def drop_old(connection: Connection, system: str) -> None:
    """Delete all but the newest incidents of a system."""
    drop_oldest(connection, incidents, system, MAX_RECORDS)
