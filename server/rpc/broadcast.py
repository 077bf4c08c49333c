"""Streams of snapshots: each tick is encoded once per distinct filter, for all its subscribers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from server.errors import ServerError, Violation, invalid, shutting_down
from server.pipeline.clock import NORMAL, Clock
from server.pipeline.snapshot import Snapshot
from server.rpc.snapshot_encoder import ENCODER
from server.rpc.stream_slots import StreamSlots
from server.rpc.subscriber import Gap, SnapshotFilter, Subscriber
from sre_edge.v1 import heartbeat_pb2, simulation_service_pb2, snapshot_pb2

_Key = tuple[str, int, SnapshotFilter]

MAX_CACHE_BYTES = 32 << 20
"""Size of the cache of messages for subscribers that catch up from the history."""


def encode(snapshot: Snapshot, criteria: SnapshotFilter) -> bytes:
    """Encode a snapshot as a message of the stream.

    Raises
    ------
    ServerError
        UNKNOWN_SERVICE, if the snapshot's run does not have a service of the filter.
    """
    indices = snapshot.indices(criteria.services)
    return ENCODER.encode(snapshot, indices, edges=criteria.edges, predictions=criteria.predictions)


def encode_past(snapshot: Snapshot, criteria: SnapshotFilter) -> bytes:
    """Encode as `encode` does, without the services that did not exist yet."""
    indices = snapshot.present(criteria.services)
    return ENCODER.encode(snapshot, indices, edges=criteria.edges, predictions=criteria.predictions)


class Broadcaster:
    """All subscribers of the metrics stream; used from the event loop only, except its counters.

    Parameters
    ----------
    history
        Returns the recent snapshots of the present run, oldest first, without waiting.
    slots
        Limit of open streams.
    clock
        The simulated clock.

    Attributes
    ----------
    dropped
        Number of snapshots dropped for slow subscribers.
    """

    def __init__(
        self,
        history: Callable[[], Sequence[Snapshot]],
        slots: StreamSlots,
        clock: Clock = NORMAL,
    ) -> None:
        self._history = history
        self._slots = slots
        self._clock = clock
        self._subscribers: set[Subscriber] = set()
        self._ended: ServerError | None = None
        self.dropped = 0
        # A thread of its own: many subscribers that catch up must not delay new snapshots.
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._encoding: dict[_Key, asyncio.Task[bytes]] = {}
        self._cache: OrderedDict[_Key, bytes] = OrderedDict()
        self._cache_bytes = 0

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return len(self._subscribers)

    def subscribe(
        self, criteria: SnapshotFilter, run_id: str = "", sequence: int = 0
    ) -> Subscriber:
        """Open a stream: with the latest snapshot, or after a cursor if `run_id` is not empty.

        Raises
        ------
        ServerError
            UNKNOWN_SERVICE, TOO_MANY_STREAMS, SHUTTING_DOWN, or INVALID_FIELD for a cursor in
            the future.
        """
        latest = self._history()[-1]
        latest.indices(criteria.services)
        if self._ended is not None:
            raise self._ended
        before_latest = (latest.run.id, latest.sequence - 1)
        if not run_id:
            subscriber = Subscriber(criteria, self._history, before_latest)
        elif run_id != latest.run.id:
            ended = Gap(snapshot_pb2.GAP_REASON_RUN_ENDED, run_id)
            subscriber = Subscriber(criteria, self._history, before_latest, ended)
        elif sequence > latest.sequence:
            expected = f"expected at most {latest.sequence}, the latest of this run"
            raise invalid([Violation("resume_after.sequence", expected)])
        else:
            subscriber = Subscriber(criteria, self._history, (run_id, sequence))
        self._slots.take()
        subscriber.set_clock(self._clock)
        self._subscribers.add(subscriber)
        return subscriber

    async def next(self, subscriber: Subscriber) -> bytes:
        """Wait for the next message of a stream.

        Raises
        ------
        ServerError
            The error that the stream was ended with.
        """
        return await subscriber.next(self._encode_cached)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Close a stream."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self._slots.give_back()

    async def publish(self, snapshot: Snapshot) -> None:
        """Send a snapshot to every subscriber; it is encoded off the event loop."""
        loop = asyncio.get_running_loop()
        encoded: dict[SnapshotFilter, bytes] = {}
        while missing := {s.criteria for s in self._subscribers} - encoded.keys():
            for criteria in missing:
                try:
                    encoded[criteria] = await loop.run_in_executor(
                        self._encoder, encode, snapshot, criteria
                    )
                except ServerError as error:  # the new topology lacks a service of the filter
                    self._end_matching(criteria, error)
        if snapshot.run.id != self._history()[-1].run.id:
            return  # a reset came while it was being encoded
        for subscriber in self._subscribers:
            self.dropped += subscriber.offer(snapshot, encoded[subscriber.criteria])

    def set_clock(self, clock: Clock) -> None:
        """Send the state of the simulated clock to every subscriber."""
        self._clock = clock
        for subscriber in self._subscribers:
            subscriber.set_clock(clock)

    def beat(self, heartbeat: heartbeat_pb2.Heartbeat) -> None:
        """Send a heartbeat to the subscribers that are idle; it is encoded once for all."""
        idle = [subscriber for subscriber in self._subscribers if subscriber.idle]
        if idle:
            message = simulation_service_pb2.StreamMetricsResponse(heartbeat=heartbeat)
            data = message.SerializeToString()
            for subscriber in idle:
                subscriber.beat(data)

    def end(self, error: ServerError | None = None) -> None:
        """End every stream, and accept no more; without an error because the server stops."""
        self._ended = error or shutting_down()
        for subscriber in self._subscribers:
            subscriber.end(self._ended)
        self._encoder.shutdown(wait=False)

    def _end_matching(self, criteria: SnapshotFilter, error: ServerError) -> None:
        for subscriber in [s for s in self._subscribers if s.criteria == criteria]:
            subscriber.end(error)
            self.unsubscribe(subscriber)

    async def _encode_cached(self, snapshot: Snapshot, criteria: SnapshotFilter) -> bytes:
        """Encode a snapshot of the history; subscribers that catch up share the result."""
        key = (snapshot.run.id, snapshot.sequence, criteria)
        data = self._cache.get(key)
        if data is not None:
            return data
        if key not in self._encoding:
            self._encoding[key] = encoding = asyncio.create_task(
                self._encode_and_cache(key, snapshot)
            )
            encoding.add_done_callback(lambda _: self._encoding.pop(key))
        return await asyncio.shield(
            self._encoding[key]
        )  # one that gives up must not cancel it for the others

    async def _encode_and_cache(self, key: _Key, snapshot: Snapshot) -> bytes:
        data = await asyncio.to_thread(encode_past, snapshot, key[2])
        self._cache[key] = data
        self._cache_bytes += len(data)
        while self._cache_bytes > MAX_CACHE_BYTES:
            self._cache_bytes -= len(self._cache.popitem(last=False)[1])
        return data
