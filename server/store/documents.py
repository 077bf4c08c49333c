"""Records as JSON documents, and tables of them that are written again while they change."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.engine import Connection

Record = TypeVar("Record")


def plain(value: Any) -> Any:
    """Make JSON values of a record of dataclasses, enums, times, tuples and plain values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def parsed(kind: type[Record], value: Any) -> Record:
    """Make the record again; the opposite of `plain`."""
    result: Record = _parsed(kind, value)
    return result


def save(connection: Connection, table: Table, key: str, values: Mapping[str, Any]) -> None:
    """Write a record that is known by its key, for the first time or again."""
    changed = connection.execute(update(table).where(table.c.key == key).values(values))
    if not changed.rowcount:
        connection.execute(insert(table).values(key=key, **values))


def prune(connection: Connection, table: Table, kept: int) -> None:
    """Drop the oldest records beyond so many."""
    query = select(table.c.id).order_by(table.c.id.desc()).offset(kept).limit(1)
    oldest = connection.execute(query).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(table).where(table.c.id <= oldest))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _parsed(kind: Any, value: Any) -> Any:
    if value is None or kind is Any:
        return None
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        (only,) = (given for given in get_args(kind) if given is not type(None))
        return _parsed(only, value)
    if origin is tuple:
        return tuple(_parsed(get_args(kind)[0], item) for item in value)
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        return kind(**{name: _parsed(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if issubclass(kind, Enum):
        return kind[value]
    if kind is datetime:
        return datetime.fromisoformat(value)
    return kind(value)
