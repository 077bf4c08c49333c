"""Systems that were added by a call, and what becomes of all records of a system."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from server.store import alarms, experiments, incidents
from server.store.schema import OF_A_SYSTEM, learned_examples, learned_experiments, systems


def add(connection: Connection, system: str, entry: dict[str, Any], now: datetime) -> None:
    """Store a system with its entry, in the place of one that was left out."""
    remove(connection, system)
    connection.execute(insert(systems).values(id=system, entry=entry, added=now))


def remove(connection: Connection, system: str) -> bool:
    """Remove a system; its records stay. Returns whether there was one."""
    return connection.execute(delete(systems).where(systems.c.id == system)).rowcount > 0


def entries(connection: Connection) -> list[dict[str, Any]]:
    """Read the entries of all systems that were added, in their order."""
    query = select(systems.c.entry).order_by(systems.c.added, systems.c.id)
    return list(connection.execute(query).scalars())


def end_runs(connection: Connection) -> int:
    """Close all that was open when a server ended, of any system; return how many records."""
    return sum(kind.end_run(connection) for kind in (incidents, alarms, experiments))


def delete_records(connection: Connection, system: str) -> int:
    """Delete all records of a system; return how many."""
    recorded = select(learned_experiments.c.id).where(learned_experiments.c.system == system)
    connection.execute(
        delete(learned_examples).where(learned_examples.c.experiment_id.in_(recorded))
    )
    return sum(
        connection.execute(delete(table).where(table.c.system == system)).rowcount
        for table in OF_A_SYSTEM
    )
