"""One encoding per distinct filter and tick, handed to every subscriber of that filter."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from server.errors import Violation, invalid, shutting_down, too_many_streams
from server.rpc import convert
from server.rpc.convert import Indices
from server.snapshot import Snapshot
from sre_edge.v1 import simulation_service_pb2, snapshot_pb2

SLOTS = 4
"""Snapshots that wait for a subscriber; the oldest gives way to a fifth."""


def encode(taken: Snapshot, wanted: Indices) -> bytes:
    """Encode a snapshot as a message of the stream."""
    return simulation_service_pb2.StreamMetricsResponse(
        snapshot=convert.snapshot(taken, wanted)
    ).SerializeToString()


@dataclass(slots=True)
class _Gap:
    reason: snapshot_pb2.GapReason.ValueType
    run_id: str
    first: int | None = None
    last: int | None = None

    def encoded(self) -> bytes:
        gap = snapshot_pb2.Gap(
            reason=self.reason,
            run_id=self.run_id,
            first_sequence=self.first,
            last_sequence=self.last,
        )
        return simulation_service_pb2.StreamMetricsResponse(gap=gap).SerializeToString()


class Subscriber:
    """One stream: what it has been given, and what waits for it."""

    def __init__(self, wanted: Indices) -> None:
        self.wanted = wanted
        self._waiting: deque[tuple[Snapshot, bytes | None]] = deque()
        self._gap: _Gap | None = None
        self._changed = asyncio.Event()
        self._run_id = ""
        self._last = 0
        self._ended = False
        self.dropped = 0

    def begin(self, backlog: Iterable[Snapshot], gap: _Gap | None, after: tuple[str, int]) -> None:
        """Start with a backlog that does not count against the slots."""
        self._waiting.extend((taken, None) for taken in backlog)
        self._gap = gap
        self._run_id, self._last = after
        if self._waiting:
            newest = self._waiting[-1][0]
            self._run_id, self._last = newest.run.id, newest.sequence
            self._changed.set()

    def offer(self, taken: Snapshot, data: bytes) -> None:
        """Queue a snapshot; the oldest one that waits gives way if there are too many."""
        if taken.run.id != self._run_id:
            self._waiting.clear()
            self._gap = _Gap(snapshot_pb2.GAP_REASON_RUN_ENDED, self._run_id)
        elif taken.sequence <= self._last:
            return
        self._run_id, self._last = taken.run.id, taken.sequence
        self._waiting.append((taken, data))
        if len(self._waiting) > SLOTS and self._waiting[0][1] is not None:
            oldest, _ = self._waiting.popleft()
            self.dropped += 1
            if self._gap is None:
                self._gap = _Gap(
                    snapshot_pb2.GAP_REASON_SLOW_SUBSCRIBER, oldest.run.id, oldest.sequence
                )
            if self._gap.run_id == oldest.run.id:
                self._gap.last = oldest.sequence
        self._changed.set()

    def end(self) -> None:
        """Tell the stream that the server stops."""
        self._ended = True
        self._changed.set()

    async def next(self) -> bytes:
        """Wait for the next message.

        Raises
        ------
        ServerError
            SHUTTING_DOWN.
        """
        while not self._waiting and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if self._ended:
            raise shutting_down()
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap.encoded()
        taken, data = self._waiting.popleft()
        if data is None:
            data = await asyncio.to_thread(encode, taken, self.wanted)
        return data


class Broadcaster:
    """All subscribers of the metrics stream; used from the event loop alone.

    Parameters
    ----------
    history
        Gives the recent snapshots of the present run, oldest first.
    max_streams
        Subscribers at a time.
    """

    def __init__(self, history: Callable[[], list[Snapshot]], max_streams: int) -> None:
        self._history = history
        self._max_streams = max_streams
        self._subscribers: set[Subscriber] = set()
        self._ended = False
        self._dropped = 0

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return len(self._subscribers)

    @property
    def dropped(self) -> int:
        """Snapshots that subscribers did not read in time, so far."""
        return self._dropped + sum(subscriber.dropped for subscriber in self._subscribers)

    def subscribe(self, wanted: Indices, run_id: str, sequence: int) -> Subscriber:
        """Open a stream: with the latest snapshot, or after a cursor if `run_id` is not empty.

        Raises
        ------
        ServerError
            TOO_MANY_STREAMS, SHUTTING_DOWN, or INVALID_FIELD for a cursor from the future.
        """
        if self._ended:
            raise shutting_down()
        if len(self._subscribers) >= self._max_streams:
            raise too_many_streams(self._max_streams)
        history = self._history()
        latest = history[-1]
        subscriber = Subscriber(wanted)
        after = (latest.run.id, latest.sequence)
        if not run_id:
            subscriber.begin([latest], None, after)
        elif run_id != latest.run.id:
            ended = _Gap(snapshot_pb2.GAP_REASON_RUN_ENDED, run_id)
            subscriber.begin([latest], ended, after)
        elif sequence > latest.sequence:
            expected = f"expected at most {latest.sequence}, the latest of this run"
            raise invalid([Violation("resume_after.sequence", expected)])
        else:
            oldest = history[0].sequence
            lost = sequence + 1 < oldest
            reason = snapshot_pb2.GAP_REASON_HISTORY_EXPIRED
            gap = _Gap(reason, run_id, sequence + 1, oldest - 1) if lost else None
            subscriber.begin([s for s in history if s.sequence > sequence], gap, after)
        self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Close a stream."""
        self._subscribers.discard(subscriber)
        self._dropped += subscriber.dropped

    async def publish(self, taken: Snapshot) -> None:
        """Give a snapshot to every subscriber; encoding happens off the event loop."""
        encoded: dict[Indices, bytes] = {}
        while missing := {s.wanted for s in self._subscribers} - encoded.keys():
            for wanted in missing:
                encoded[wanted] = await asyncio.to_thread(encode, taken, wanted)
        if taken.run.id != self._history()[-1].run.id:
            return  # a reset came while it was being encoded
        for subscriber in self._subscribers:
            subscriber.offer(taken, encoded[subscriber.wanted])

    def end(self) -> None:
        """End every stream, and accept no more."""
        self._ended = True
        for subscriber in self._subscribers:
            subscriber.end()
