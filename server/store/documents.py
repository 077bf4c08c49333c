"""Records as JSON documents, and tables of documents that are updated as records change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import SchemaSerializer, SchemaValidator, core_schema
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.engine import Connection

Record = TypeVar("Record")


def plain(value: Any) -> Any:
    """Convert a record of dataclasses, enums, times, tuples and plain values to JSON values."""
    writer, _ = _form(type(value))  # type: ignore[arg-type]
    return writer.to_python(value, mode="json")


def parsed(kind: type[Record], value: Any) -> Record:
    """Convert JSON values back to a record; the inverse of `plain`.

    Unknown fields, of a newer server, are ignored; missing ones, of an older server, get their
    defaults.
    """
    _, reader = _form(kind)  # type: ignore[arg-type]
    record: Record = reader.validate_python(value)
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
def _form(kind: type) -> tuple[SchemaSerializer, SchemaValidator]:
    """Make what writes records of a type, and what reads them."""
    schema = _as_stored(TypeAdapter(kind).core_schema)
    return SchemaSerializer(schema), SchemaValidator(schema)


def _as_stored(schema: Any) -> Any:
    """Have enums written by name and times with `+00:00`; pydantic has no setting for either."""
    write: Callable[[Any], Any]
    match schema:
        case {"type": "enum", "cls": kind}:
            read, write = kind.__members__.__getitem__, attrgetter("name")
        case {"type": "datetime"}:
            read, write = datetime.fromisoformat, datetime.isoformat
        case dict():
            return {key: _as_stored(value) for key, value in schema.items()}
        case list():
            return [_as_stored(item) for item in schema]
        case _:
            return schema
    written = core_schema.plain_serializer_function_ser_schema(write)
    return core_schema.no_info_plain_validator_function(
        read, ref=schema.get("ref"), serialization=written
    )
