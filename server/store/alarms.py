"""Alarms, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from server.records.findings import Alarm, AlarmOutcome
from server.store.documents import drop_oldest, parsed, plain, readable, save
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


def put(connection: Connection, system: str, alarm: Alarm, stored: Any = None) -> None:
    """Store an alarm, or update it; `stored` is its document as it was read."""
    values = {
        "service": alarm.service,
        "outcome": alarm.outcome.value,
        "raised": alarm.raised,
        "document": plain(alarm, stored),
    }
    save(connection, alarms, system, alarm.id, values)


def page(
    connection: Connection, system: str, criteria: AlarmFilter, before: int | None, size: int
) -> Page[Alarm]:
    """Read alarms, the newest first, that are older than a position."""
    query = select(alarms).where(alarms.c.system == system)
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
    query = select(alarms).where(alarms.c.outcome == AlarmOutcome.PENDING.value)
    pending = readable(connection.execute(query), lambda row: (row, parsed(Alarm, row.document)))
    for row, alarm in pending:
        ended = replace(alarm, outcome=AlarmOutcome.RUN_ENDED)
        put(connection, row.system, ended, row.document)
    return len(pending)


def drop_old(connection: Connection, system: str) -> None:
    """Delete all but the newest alarms of a system."""
    drop_oldest(connection, alarms, system, MAX_RECORDS)
