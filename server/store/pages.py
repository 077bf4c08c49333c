"""Pages of long lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, Table
from sqlalchemy.engine import Connection

from server.store.documents import readable

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Page(Generic[Record]):
    """One page of a list.

    Attributes
    ----------
    records
        In the order of the list.
    next_before
        Position at which the next page begins; None after the last one.
    """

    records: tuple[Record, ...]
    next_before: int | None


def newest(
    connection: Connection,
    query: Select[Any],
    table: Table,
    before: int | None,
    size: int,
    read: Callable[[Any], Record],
) -> Page[Record]:
    """Read the newest records of a query that are older than a position.

    Records that are added meanwhile belong before the first page: no page repeats or skips one.
    """
    if before is not None:
        query = query.where(table.c.id < before)
    rows = connection.execute(query.order_by(table.c.id.desc()).limit(size + 1)).all()
    shown = rows[:size]
    return Page(
        tuple(readable(shown, lambda row: read(row.document))),
        int(shown[-1].id) if len(rows) > size else None,
    )
