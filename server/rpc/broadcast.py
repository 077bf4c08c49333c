"""One encoding per distinct filter and tick, handed to every subscriber of that filter."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from server.errors import ServerError, Violation, invalid, shutting_down, too_many_streams
from server.pipeline.clock import NORMAL, Clock
from server.pipeline.snapshot import Snapshot
from server.rpc.snapshot_encoder import ENCODER
from server.rpc.subscriber import Gap, SnapshotFilter, Subscriber
from sre_edge.v1 import snapshot_pb2

_Key = tuple[str, int, SnapshotFilter]

MAX_KEPT_BYTES = 32 << 20
"""Encoded messages that are kept for those who catch up from the history."""


def encode(taken: Snapshot, wanted: SnapshotFilter) -> bytes:
    """Encode a snapshot as a message of the stream.

    Raises
    ------
    ServerError
        UNKNOWN_SERVICE, if the snapshot's run does not have a service of the filter.
    """
    indices = taken.indices(wanted.services)
    return ENCODER.encode(taken, indices, edges=wanted.edges, predictions=wanted.predictions)


class Broadcaster:
    """All subscribers of the metrics stream; used from the event loop alone, but for its figures.

    Parameters
    ----------
    history
        Gives the recent snapshots of the present run, oldest first; never waits.
    max_streams
        Subscribers at a time.
    clock
        The simulated clock.

    Attributes
    ----------
    dropped
        Snapshots that subscribers did not read in time, so far.
    """

    def __init__(
        self,
        history: Callable[[], Sequence[Snapshot]],
        max_streams: int,
        clock: Clock = NORMAL,
    ) -> None:
        self._history = history
        self._max_streams = max_streams
        self._clock = clock
        self._subscribers: set[Subscriber] = set()
        self._ended = False
        self.dropped = 0
        # Of its own: a crowd that catches up must not hold up what is new.
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._encoding: dict[_Key, asyncio.Task[bytes]] = {}
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._kept_bytes = 0

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return len(self._subscribers)

    def subscribe(self, wanted: SnapshotFilter, run_id: str = "", sequence: int = 0) -> Subscriber:
        """Open a stream: with the latest snapshot, or after a cursor if `run_id` is not empty.

        Raises
        ------
        ServerError
            UNKNOWN_SERVICE, TOO_MANY_STREAMS, SHUTTING_DOWN, or INVALID_FIELD for a cursor from
            the future.
        """
        latest = self._history()[-1]
        latest.indices(wanted.services)
        if self._ended:
            raise shutting_down()
        if len(self._subscribers) >= self._max_streams:
            raise too_many_streams(self._max_streams)
        before_latest = (latest.run.id, latest.sequence - 1)
        if not run_id:
            subscriber = Subscriber(wanted, self._history, before_latest)
        elif run_id != latest.run.id:
            ended = Gap(snapshot_pb2.GAP_REASON_RUN_ENDED, run_id)
            subscriber = Subscriber(wanted, self._history, before_latest, ended)
        elif sequence > latest.sequence:
            expected = f"expected at most {latest.sequence}, the latest of this run"
            raise invalid([Violation("resume_after.sequence", expected)])
        else:
            subscriber = Subscriber(wanted, self._history, (run_id, sequence))
        subscriber.set_clock(self._clock)
        self._subscribers.add(subscriber)
        return subscriber

    async def next(self, subscriber: Subscriber) -> bytes:
        """Wait for the next message of a stream.

        Raises
        ------
        ServerError
            What the stream was ended with.
        """
        return await subscriber.next(self._encode_old)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Close a stream."""
        self._subscribers.discard(subscriber)

    async def publish(self, taken: Snapshot) -> None:
        """Give a snapshot to every subscriber; encoding happens off the event loop."""
        loop = asyncio.get_running_loop()
        encoded: dict[SnapshotFilter, bytes] = {}
        while missing := {s.wanted for s in self._subscribers} - encoded.keys():
            for wanted in missing:
                try:
                    encoded[wanted] = await loop.run_in_executor(
                        self._encoder, encode, taken, wanted
                    )
                except ServerError as error:  # the topology is another, without that service
                    self._end_those_who_want(wanted, error)
        if taken.run.id != self._history()[-1].run.id:
            return  # a reset came while it was being encoded
        for subscriber in self._subscribers:
            self.dropped += subscriber.offer(taken, encoded[subscriber.wanted])

    def set_clock(self, clock: Clock) -> None:
        """Tell every subscriber of the simulated clock."""
        self._clock = clock
        for subscriber in self._subscribers:
            subscriber.set_clock(clock)

    def end(self) -> None:
        """End every stream, and accept no more."""
        self._ended = True
        for subscriber in self._subscribers:
            subscriber.end(shutting_down())
        self._encoder.shutdown(wait=False)

    def _end_those_who_want(self, wanted: SnapshotFilter, error: ServerError) -> None:
        for subscriber in [s for s in self._subscribers if s.wanted == wanted]:
            subscriber.end(error)
            self.unsubscribe(subscriber)

    async def _encode_old(self, taken: Snapshot, wanted: SnapshotFilter) -> bytes:
        """Encode for one who catches up; others who do so at the same time share it."""
        key = (taken.run.id, taken.sequence, wanted)
        data = self._kept.get(key)
        if data is not None:
            return data
        if key not in self._encoding:
            self._encoding[key] = encoding = asyncio.create_task(self._encode_and_keep(key, taken))
            encoding.add_done_callback(lambda _: self._encoding.pop(key))
        return await asyncio.shield(self._encoding[key])  # whoever gives up leaves it to the others

    async def _encode_and_keep(self, key: _Key, taken: Snapshot) -> bytes:
        data = await asyncio.to_thread(encode, taken, key[2])
        self._kept[key] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > MAX_KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return data
