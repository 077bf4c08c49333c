"""One stream of snapshots: its queue, its position, and the snapshots that it lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from server.errors import ServerError
from server.pipeline.clock import Clock
from server.pipeline.snapshot import Snapshot
from server.rpc import convert
from server.rpc.heartbeat import Idleness
from sre_edge.v1 import simulation_service_pb2, snapshot_pb2

MAX_WAITING = 4
"""Snapshots that may wait for a subscriber; beyond that the oldest is dropped."""


@dataclass(frozen=True, slots=True)
class SnapshotFilter:
    """Selects services and parts of snapshots.

    Attributes
    ----------
    services
        Names of services; none means all.
    edges, predictions
        Whether snapshots have edges, and predictions.
    """

    services: frozenset[str] = frozenset()
    edges: bool = True
    predictions: bool = True


EVERYTHING = SnapshotFilter()


@dataclass(frozen=True, slots=True)
class Gap:
    """Snapshots that a subscriber lost; the numbers are None if unknown."""

    reason: snapshot_pb2.GapReason.ValueType
    run_id: str
    first: int | None = None
    last: int | None = None

    def encoded(self) -> bytes:
        """Encode it as a message of the stream."""
        gap = snapshot_pb2.Gap(
            reason=self.reason,
            run_id=self.run_id,
            first_sequence=self.first,
            last_sequence=self.last,
        )
        return simulation_service_pb2.StreamMetricsResponse(gap=gap).SerializeToString()


class Subscriber:
    """One stream; used from the event loop only.

    Parameters
    ----------
    criteria
        Filter of the stream.
    history
        Returns the recent snapshots of the present run, oldest first.
    after
        Run and sequence number of its last snapshot: it catches up from the history first.
    gap
        Snapshots that were lost before.
    """

    def __init__(
        self,
        criteria: SnapshotFilter,
        history: Callable[[], Sequence[Snapshot]],
        after: tuple[str, int],
        gap: Gap | None = None,
    ) -> None:
        self.criteria = criteria
        self._history = history
        self._run_id, self._last = after
        self._gap = gap
        self._catching_up = True
        self._sent_clock: Clock | None = None
        self._clock: Clock | None = None
        self._waiting: deque[tuple[Snapshot, bytes]] = deque()
        self._changed = asyncio.Event()
        self._end: ServerError | None = None
        self._idleness = Idleness()
        self._heartbeat = b""

    def offer(self, snapshot: Snapshot, data: bytes) -> bool:
        """Queue a snapshot; the oldest is dropped if too many wait. Return whether one was."""
        self._changed.set()
        if self._catching_up:
            return False  # it is in the history
        if snapshot.run.id != self._run_id:
            self._run_ended(self._waiting[0][0].sequence if self._waiting else None)
            self._waiting.clear()
            self._run_id, self._last = snapshot.run.id, 0
        if snapshot.sequence <= self._last:
            return False
        if snapshot.sequence > self._last + 1:
            self._catch_up()  # one was never offered: its tick failed after it was published
            return False
        self._last = snapshot.sequence
        self._waiting.append((snapshot, data))
        if len(self._waiting) <= MAX_WAITING:
            return False
        oldest, _ = self._waiting.popleft()
        slow = snapshot_pb2.GAP_REASON_SLOW_SUBSCRIBER
        gap = self._gap or Gap(slow, oldest.run.id, oldest.sequence)
        same = gap.run_id == oldest.run.id
        self._gap = replace(gap, last=oldest.sequence) if same else gap
        return True

    def set_clock(self, clock: Clock) -> None:
        """Send the state of the clock, after the snapshots that wait."""
        self._clock = clock
        self._changed.set()

    @property
    def idle(self) -> bool:
        """Whether a heartbeat is due."""
        return self._idleness.due

    def beat(self, heartbeat: bytes) -> None:
        """Send a heartbeat, unless something else can be sent."""
        self._heartbeat = heartbeat
        self._changed.set()

    def end(self, error: ServerError) -> None:
        """End the stream with an error."""
        self._end = self._end or error
        self._changed.set()

    async def next(self, encode: Callable[[Snapshot, SnapshotFilter], Awaitable[bytes]]) -> bytes:
        """Wait for the next message.

        Raises
        ------
        ServerError
            The error that the stream was ended with.
        """
        message = await self._next(encode)
        self._heartbeat = b""
        self._idleness.sent()
        return message

    async def _next(self, encode: Callable[[Snapshot, SnapshotFilter], Awaitable[bytes]]) -> bytes:
        while True:
            if self._end is not None:
                raise self._end
            behind = self._missed() if self._catching_up else None
            if self._gap is not None and (behind or self._waiting):
                gap, self._gap = self._gap, None
                return gap.encoded()
            if behind is not None:
                self._last, self._sent_clock = behind.sequence, behind.clock
                self._catching_up = behind is not self._history()[-1]
                return await encode(behind, self.criteria)
            if self._waiting:
                snapshot, data = self._waiting.popleft()
                self._sent_clock = snapshot.clock
                return data
            if self._clock is not None and self._clock != self._sent_clock:
                self._sent_clock = self._clock
                return _encoded(self._clock)
            if self._heartbeat:
                return self._heartbeat
            self._changed.clear()
            await self._changed.wait()

    def _missed(self) -> Snapshot | None:
        """Get the next snapshot from the history; None if there is no more."""
        history = self._history()
        latest = history[-1]
        if latest.run.id != self._run_id:
            self._run_ended(None)
            self._run_id, self._last = latest.run.id, latest.sequence - 1
        oldest = history[0].sequence
        if self._last + 1 < oldest:
            expired = snapshot_pb2.GAP_REASON_HISTORY_EXPIRED
            self._gap = Gap(expired, self._run_id, self._last + 1, oldest - 1)
            self._last = oldest - 1
        if self._last < latest.sequence:
            return history[self._last + 1 - oldest]
        self._catching_up = False
        return None

    def _catch_up(self) -> None:
        """Read the waiting snapshots from the history, too."""
        if self._waiting:
            self._last = self._waiting[0][0].sequence - 1
            self._waiting.clear()
        self._catching_up = True

    def _run_ended(self, first_lost: int | None) -> None:
        first = self._gap.first if self._gap and self._gap.run_id == self._run_id else first_lost
        self._gap = Gap(snapshot_pb2.GAP_REASON_RUN_ENDED, self._run_id, first)


def _encoded(clock: Clock) -> bytes:
    message = convert.clock(clock)
    return simulation_service_pb2.StreamMetricsResponse(clock=message).SerializeToString()
