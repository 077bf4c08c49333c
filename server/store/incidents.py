"""Incidents, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection

from server.records.findings import Incident, IncidentEnd, IncidentState
from server.store.documents import parsed, plain, prune, save
from server.store.pages import Page, newest
from server.store.schema import incidents

MAX_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are wanted; None and "" stand for any.

    Attributes
    ----------
    service
        Affected.
    state
        Open or closed.
    since, until
        Those that were open at some time between, both on the simulated clock.
    """

    service: str = ""
    state: IncidentState | None = None
    since: datetime | None = None
    until: datetime | None = None


def put(connection: Connection, incident: Incident) -> None:
    """Keep an incident as it is now."""
    values = {
        "open": incident.state is IncidentState.OPEN,
        # Names are DNS labels: the bars keep one from being found inside of another.
        "services": f"|{'|'.join(incident.names)}|",
        "onset": incident.onset,
        "ended": incident.end,
        "document": plain(incident),
    }
    save(connection, incidents, incident.id, values)


def page(
    connection: Connection, criteria: IncidentFilter, before: int | None, size: int
) -> Page[Incident]:
    """Give incidents, the newest first, from before a place on."""
    query = select(incidents)
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
    rows = connection.execute(select(incidents.c.document).where(incidents.c.open)).all()
    for row in rows:
        incident = parsed(Incident, row.document)
        put(
            connection,
            replace(
                incident,
                state=IncidentState.CLOSED,
                closed_by=IncidentEnd.RUN_ENDED,
                end=max(found.last_breach for found in incident.services),
            ),
        )
    return len(rows)


def drop_old(connection: Connection) -> None:
    """Keep the newest only."""
    prune(connection, incidents, MAX_RECORDS)
