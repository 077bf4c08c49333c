"""Records as JSON documents, and tables of documents that are updated as records change.

A document is of a version, major.minor. One of an older version is read for ever: what it lacks
has a default. What a newer minor version has added is kept and written back. A higher major
version is refused when the database is opened (`check_versions`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaSerializer, SchemaValidator, core_schema
from sqlalchemy import Row, Table, delete, insert, inspect, select, update
from sqlalchemy.engine import Connection

from server.store.location import StoreLocationError
from server.store.schema import DOCUMENTS

MAJOR, MINOR = 1, 0
DOCUMENT_VERSION = f"{MAJOR}.{MINOR}"
_log = logging.getLogger(__name__)

Record = TypeVar("Record")


class RecordError(ValueError):
    """A stored record that cannot be read; the text says what was expected."""


def plain(value: Any, stored: Any = None) -> Any:
    """Convert a record of dataclasses, enums, times, tuples and plain values to JSON values.

    `stored` is the document that it was read from: what a newer server has added to it is kept.
    """
    writer, _ = _form(type(value))  # type: ignore[arg-type]
    written = writer.to_python(value, mode="json")
    return written if stored is None else _with_unknown(written, stored)


def parsed(kind: type[Record], value: Any) -> Record:
    """Convert JSON values back to a record; the inverse of `plain`.

    Unknown fields, of a newer server, are ignored; missing ones, of an older server, get their
    defaults.

    Raises
    ------
    RecordError
        If it is no such record.
    """
    _, reader = _form(kind)  # type: ignore[arg-type]
    try:
        record: Record = reader.validate_python(value)
    except (ValidationError, KeyError, TypeError) as error:
        raise RecordError(f"{kind.__name__}: {_problem(error)}") from error
    return record


def field(document: Any, name: str) -> Any:
    """Give a field of a document.

    Raises
    ------
    RecordError
        If it is missing.
    """
    if not isinstance(document, Mapping) or name not in document:
        raise RecordError(f"expected a field {name!r}")
    return document[name]


def readable(rows: Iterable[Row[Any]], read: Callable[[Row[Any]], Record]) -> list[Record]:
    """Read records; one that cannot be read stays in the database, is left out, and is logged."""
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except RecordError as error:
            _log.error("a stored record cannot be read and is left out: row %s: %s", row.id, error)
    return found


def save(
    connection: Connection, table: Table, system: str, key: str, values: Mapping[str, Any]
) -> None:
    """Insert or update the record with a key."""
    values = {"version": DOCUMENT_VERSION, **values}
    changed = connection.execute(update(table).where(table.c.key == key).values(values))
    if not changed.rowcount:
        connection.execute(insert(table).values(system=system, key=key, **values))


def drop_oldest(connection: Connection, table: Table, system: str, kept: int) -> None:
    """Delete the oldest records of a system beyond a number."""
    own = select(table.c.id).where(table.c.system == system)
    query = own.order_by(table.c.id.desc()).offset(kept).limit(1)
    oldest = connection.execute(query).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(table).where(table.c.system == system, table.c.id <= oldest))


def check_versions(connection: Connection) -> None:
    """Check that this server can read all documents, before it writes any.

    Raises
    ------
    StoreLocationError
        If there are documents of a higher major version.
    """
    present = inspect(connection)
    for table in DOCUMENTS:
        if not present.has_table(table.name):
            continue
        if "version" not in {column["name"] for column in present.get_columns(table.name)}:
            continue  # from before documents stated it
        for version in connection.execute(select(table.c.version).distinct()).scalars():
            if int(version.partition(".")[0]) > MAJOR:
                raise StoreLocationError(
                    f"expected documents of version {MAJOR}, got {version} in {table.name}: they "
                    "were written by a newer server; use that one, or restore a backup"
                )


def _with_unknown(written: Any, stored: Any) -> Any:
    """Add the fields of a stored document that its record does not have, at any depth."""
    match written, stored:
        case dict(), dict():
            merged = {key: _with_unknown(value, stored.get(key)) for key, value in written.items()}
            return {**merged, **{key: stored[key] for key in stored.keys() - written.keys()}}
        case list(), list() if len(written) == len(stored):
            return [_with_unknown(*pair) for pair in zip(written, stored, strict=True)]
    return written


def _problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"expected a known value: {error}"
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'document'}: {first['msg'].lower()}"


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
