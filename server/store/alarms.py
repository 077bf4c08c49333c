"""Alarms, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.engine import Connection

from server.records.findings import Alarm, AlarmOutcome
from server.store.documents import parsed, plain, prune, save
from server.store.pages import Page, newest
from server.store.schema import alarms

MAX_RECORDS = 50_000


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Selects alarms; None and "" stand for any.

    Attributes
    ----------
    service
        Name of the service.
    outcome
        Outcome of the alarms.
    since, until
        Range of the time when they were raised, without its end, simulated clock.
    """

    service: str = ""
    outcome: AlarmOutcome | None = None
    since: datetime | None = None
    until: datetime | None = None


def put(connection: Connection, alarm: Alarm) -> None:
    """Store an alarm, or update it."""
    values = {
        "service": alarm.service,
        "outcome": alarm.outcome.value,
        "raised": alarm.raised,
        "document": plain(alarm),
    }
    save(connection, alarms, alarm.id, values)


def page(
    connection: Connection, criteria: AlarmFilter, before: int | None, size: int
) -> Page[Alarm]:
    """Read alarms, the newest first, that are older than a position."""
    query = select(alarms)
    if criteria.service:
        query = query.where(alarms.c.service == criteria.service)
    if criteria.outcome is not None:
        query = query.where(alarms.c.outcome == criteria.outcome.value)
    if criteria.since is not None:
        query = query.where(alarms.c.raised >= criteria.since)
    if criteria.until is not None:
        query = query.where(alarms.c.raised < criteria.until)
    return newest(connection, query, alarms, before, size, lambda d: parsed(Alarm, d))


def end_run(connection: Connection) -> int:
    """Close the alarms that were pending when a server ended; return how many."""
    query = select(alarms.c.document).where(alarms.c.outcome == AlarmOutcome.PENDING.value)
    rows = connection.execute(query).all()
    for row in rows:
        put(connection, replace(parsed(Alarm, row.document), outcome=AlarmOutcome.RUN_ENDED))
    return len(rows)


def drop_old(connection: Connection) -> None:
    """Delete all but the newest alarms."""
    prune(connection, alarms, MAX_RECORDS)
