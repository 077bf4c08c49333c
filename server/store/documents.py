"""Records as JSON documents, and tables of documents that are updated as records change."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.engine import Connection

Record = TypeVar("Record")


def plain(value: Any) -> Any:
    """Convert a record of dataclasses, enums, times, tuples and plain values to JSON values."""
    return _writer(type(value))(value)  # type: ignore[arg-type]


def parsed(kind: type[Record], value: Any) -> Record:
    """Convert JSON values back to a record; the inverse of `plain`.

    Unknown fields, of a newer server, are ignored; missing ones, of an older server, get their
    defaults.
    """
    record: Record = _reader(kind)(value)  # type: ignore[arg-type]
    return record


def save(connection: Connection, table: Table, key: str, values: Mapping[str, Any]) -> None:
    """Insert or update the record with a key."""
    changed = connection.execute(update(table).where(table.c.key == key).values(values))
    if not changed.rowcount:
        connection.execute(insert(table).values(key=key, **values))


def prune(connection: Connection, table: Table, kept: int) -> None:
    """Delete the oldest records beyond a number."""
    query = select(table.c.id).order_by(table.c.id.desc()).offset(kept).limit(1)
    oldest = connection.execute(query).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(table).where(table.c.id <= oldest))


@cache
def _writer(kind: type) -> Callable[[Any], Any]:
    if is_dataclass(kind):
        names = [field.name for field in fields(kind)]
        return lambda record: {name: plain(getattr(record, name)) for name in names}
    if issubclass(kind, tuple):
        return lambda items: [plain(item) for item in items]
    if issubclass(kind, Enum):
        return lambda member: member.name
    if issubclass(kind, datetime):
        return datetime.isoformat
    return lambda value: value


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Make the function that reads a value of a type; the only unions are with None."""
    if get_origin(kind) in (Union, types.UnionType):
        (only,) = (member for member in get_args(kind) if member is not type(None))
        return _reader(only)
    if get_origin(kind) is tuple:
        read = _reader(get_args(kind)[0])
        return lambda items: tuple(read(item) for item in items)
    if is_dataclass(kind):
        readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}
        return lambda document: kind(  # type: ignore[operator]
            **{
                name: None if document[name] is None else read(document[name])
                for name, read in readers.items()
                if name in document
            }
        )
    if issubclass(kind, Enum):
        members: Mapping[str, Any] = kind.__members__
        return members.__getitem__
    return datetime.fromisoformat if kind is datetime else kind
