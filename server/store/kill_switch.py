"""The kill switches: whether faults are refused, also after a restart."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from server.store.schema import kill_switch


def set_engaged(connection: Connection, system: str, engaged: bool, time: datetime) -> None:
    """Record that a kill switch was engaged or lifted, at a time of the wall clock."""
    connection.execute(insert(kill_switch).values(system=system, engaged=engaged, time=time))


def engaged(connection: Connection, system: str) -> bool:
    """Whether a kill switch is engaged; it is not if nobody has ever engaged it."""
    query = select(kill_switch.c.engaged).where(kill_switch.c.system == system)
    newest = query.order_by(kill_switch.c.id.desc()).limit(1)
    return bool(connection.execute(newest).scalar_one_or_none())
