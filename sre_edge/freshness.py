"""When what a stream delivered is out of date: the one place of that rule.

It does not go by the transport, which takes a minute to notice that a server or something on the
way is frozen:

* The stream is silent if nothing came for `SILENT_S`, neither an item nor a heartbeat.
* The data is old if a heartbeat says so, or if heartbeats come but the latest snapshot is older
  than three intervals of its clock (at least `MIN_OLD_S`) and that is not paused.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_edge.times import moment
from sre_edge.v1 import clock_pb2, heartbeat_pb2, snapshot_pb2, system_pb2

HEARTBEAT_S = 2.0
"""How long a server leaves a stream without a message, seconds."""
OLD_INTERVALS, MIN_OLD_S = 3.0, 5.0
SILENT_S = max(MIN_OLD_S, 3.0 * HEARTBEAT_S)
RENEW_S = 15.0
"""After so many seconds of silence, a stream is opened anew."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Everything delivered so far is out of date, and nothing newer has come.

    It stays so until the stream yields `Connected`.

    Attributes
    ----------
    reason
        What is missing: "no sign of life from HOST:PORT", or "no new data".
    since
        When the last of it came, wall clock of this machine, UTC.
    silent
        True: nothing comes at all. False: the server is there, but has no new data.
    problem
        Why, as the server says; "" if nobody knows.
    """

    reason: str
    since: datetime
    silent: bool
    problem: str = ""

    def repeats(self, before: Stale) -> bool:
        """Whether it says no more than one before."""
        return (self.reason, self.problem) == (before.reason, before.problem)

    def __str__(self) -> str:
        """Say it, such as "no sign of life from 127.0.0.1:50051 since 14:03:07 UTC"."""
        text = f"{self.reason} since {moment(self.since)}"
        return f"{text}: {self.problem}" if self.problem else text


class Freshness:
    """What a stream has delivered, and when.

    Parameters
    ----------
    target
        Address of the server, for people.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._opened_s = self._heard_s = time.monotonic()
        self._data_s: float | None = None
        self._interval_s = 0.0
        self._clock: clock_pb2.Clock | None = None
        self._heartbeat: heartbeat_pb2.Heartbeat | None = None

    def opened(self) -> None:
        """Begin to wait for the first message of a stream."""
        self._opened_s = time.monotonic()

    def heard(self, message: Any) -> None:
        """Take a message of the stream."""
        self._heard_s = now = time.monotonic()
        content = getattr(message, message.WhichOneof("message") or "", None)
        if isinstance(content, snapshot_pb2.Snapshot):
            self._data_s, self._interval_s = now, content.interval_seconds
            self._clock = content.clock if content.HasField("clock") else None
            self._heartbeat = None
        elif isinstance(content, clock_pb2.Clock):
            self._clock = content
            self._data_s = now  # more is due from now on
        elif isinstance(content, heartbeat_pb2.Heartbeat):
            self._heartbeat = content

    @property
    def silent_s(self) -> float:
        """How long the open stream has been silent, seconds."""
        return time.monotonic() - max(self._heard_s, self._opened_s)

    def stale(self) -> Stale | None:
        """Judge what was delivered; None: it is up to date."""
        if self.silent_s > SILENT_S:
            since_s = time.monotonic() - self._heard_s
            return Stale(f"no sign of life from {self._target}", _ago(since_s), silent=True)
        age_s = self._old_s()
        if age_s is None:
            return None
        problem = self._heartbeat.problem if self._heartbeat else ""
        return Stale("no new data", _ago(age_s), silent=False, problem=problem)

    def _old_s(self) -> float | None:
        """Age of the data if it is too old, seconds."""
        if self._heard_s < self._opened_s:
            return None  # nothing has come yet
        told = self._heartbeat
        if told is None:
            return None  # nothing has come since: is anybody there?
        if told.state == system_pb2.SYSTEM_STATE_STALE:
            return told.frame_age.ToTimedelta().total_seconds()
        if told.state != system_pb2.SYSTEM_STATE_LIVE:
            return None  # no more is due
        clock = self._clock
        if self._data_s is None or clock is None or clock.paused:
            return None
        age_s = time.monotonic() - self._data_s
        due_s = OLD_INTERVALS * self._interval_s / (clock.speed or 1.0)
        return age_s if age_s > max(due_s, MIN_OLD_S) else None


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
