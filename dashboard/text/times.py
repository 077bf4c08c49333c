"""Times and lengths of the API as Python has them."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from dashboard.markup import Node, h
from dashboard.text.numbers import duration


def moment(stamp: Timestamp) -> datetime:
    """Point in time, in UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


def seconds(length: Duration) -> float:
    """Length in seconds."""
    return float(length.ToTimedelta().total_seconds())


def length(of: Duration) -> str:
    """Length in words, such as 1 m 20 s."""
    return duration(seconds(of))


def clock(time: datetime, shape: str = "time") -> Node:
    """Show a point in time, in UTC; the browser writes it, and the viewer's own time as a hint.

    Parameters
    ----------
    time
        In UTC.
    shape
        "time" of day, with the date unless it is today's; or "full", always with it.
    """
    return h("time", datetime=time.isoformat(), data_shape=shape)
