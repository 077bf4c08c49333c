"""How points in time are written: in UTC, and saying so, which people in all places can compare."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def moment(time: Timestamp | datetime) -> str:
    """Write a point in time, with its date unless that is today: 2026-05-04 14:03:07 UTC."""
    known = time.ToDatetime(UTC) if isinstance(time, Timestamp) else time.astimezone(UTC)
    today = known.date() == datetime.now(UTC).date()
    return known.strftime("%H:%M:%S UTC" if today else "%Y-%m-%d %H:%M:%S UTC")
