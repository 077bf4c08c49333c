"""Times and lengths of time, between the domain and the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from server.errors import Violation, invalid


def timestamp(time: datetime) -> Timestamp:
    """Convert a time."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def time(message: Timestamp, field: str) -> datetime:
    """Convert a time.

    Raises
    ------
    ServerError
        INVALID_FIELD, if it is out of range.
    """
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        expected = "expected a time in the years 1 to 9999"
        raise invalid([Violation(field, expected)]) from error


def duration(seconds: float) -> Duration:
    """Convert a length of time."""
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def seconds(duration: Duration) -> float:
    """Convert a length of time."""
    return float(duration.seconds) + duration.nanos / 1e9


def optional(message: Any, field: str) -> datetime | None:
    """Convert the time in a field of a message; None if it is not set.

    Raises
    ------
    ServerError
        INVALID_FIELD, if it is out of range.
    """
    return time(getattr(message, field), field) if message.HasField(field) else None
