"""The kill switch: whether faults are refused, also after a restart."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from server.store.schema import kill_switch


def set_engaged(connection: Connection, engaged: bool, time: datetime) -> None:
    """Record that the kill switch was engaged or lifted, at a time of the wall clock."""
    connection.execute(insert(kill_switch).values(engaged=engaged, time=time))


def engaged(connection: Connection) -> bool:
    """Whether the kill switch is engaged; it is not if nobody has ever engaged it."""
    query = select(kill_switch.c.engaged).order_by(kill_switch.c.id.desc()).limit(1)
    return bool(connection.execute(query).scalar_one_or_none())
