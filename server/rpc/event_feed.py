"""Streams of events: each reads the log at its own pace, and reports what it missed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from server.errors import Violation, invalid, shutting_down, too_many_streams
from server.records.events import EventKind, LoggedEvent
from server.rpc import events
from server.systems.event_log import EventLog
from sre_edge.v1 import incident_service_pb2

BATCH_EVENTS = 256
"""Events that are encoded in one batch."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Selects events by kind and service; an empty set selects all."""

    kinds: frozenset[EventKind] = frozenset()
    services: frozenset[str] = frozenset()

    def passes(self, event: LoggedEvent) -> bool:
        """Whether an event is selected; one of the whole system matches every service."""
        if self.kinds and event.kind not in self.kinds:
            return False
        if not self.services or not event.services:
            return True
        return not self.services.isdisjoint(event.services)


class EventReader:
    """One stream; used from the event loop only."""

    def __init__(
        self,
        log: EventLog,
        criteria: EventFilter,
        position: int,
        first: Iterable[incident_service_pb2.StreamEventsResponse],
    ) -> None:
        self._log, self._criteria, self._position = log, criteria, position
        self._waiting = deque(message.SerializeToString() for message in first)
        self.changed = asyncio.Event()
        self.ended = False

    async def next(self) -> bytes:
        """Wait for the next message.

        Raises
        ------
        ServerError
            SHUTTING_DOWN.
        """
        while True:
            if self.ended:
                raise shutting_down()
            if self._waiting:
                return self._waiting.popleft()
            self.changed.clear()
            before = self._position
            self._waiting.extend(await asyncio.to_thread(self._read))
            if self._position == before:
                await self.changed.wait()

    def _read(self) -> list[bytes]:
        found, self._position, lost = self._log.read(self._position, BATCH_EVENTS)
        messages = [events.gap(lost, slow=True)] if lost is not None else []
        messages += [events.event(event) for event in found if self._criteria.passes(event)]
        return [message.SerializeToString() for message in messages]


class EventFeed:
    """All streams of events; used from the event loop only, except `wake`.

    Parameters
    ----------
    log
        Log of events.
    max_streams
        Maximum number of open streams.
    """

    def __init__(self, log: EventLog, max_streams: int) -> None:
        self._log, self._max_streams = log, max_streams
        self._readers: set[EventReader] = set()
        self._ended = False
        self._loop = asyncio.get_running_loop()
        log.listen(self.wake)

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return len(self._readers)

    def subscribe(self, criteria: EventFilter, run_id: str = "", sequence: int = 0) -> EventReader:
        """Open a stream, from now on or, if `run_id` is not empty, after a cursor.

        Raises
        ------
        ServerError
            TOO_MANY_STREAMS, SHUTTING_DOWN, or INVALID_FIELD for a cursor in the future.
        """
        if self._ended:
            raise shutting_down()
        if len(self._readers) >= self._max_streams:
            raise too_many_streams(self._max_streams)
        if run_id:
            try:
                position, lost = self._log.position(run_id, sequence)
            except ValueError as error:
                raise invalid([Violation("resume_after.sequence", str(error))]) from error
        else:
            position, run_id, sequence = self._log.latest
            lost = None
        first = [events.position(run_id, sequence)]
        if lost is not None:
            first.append(events.gap(lost))
        reader = EventReader(self._log, criteria, position, first)
        self._readers.add(reader)
        return reader

    def unsubscribe(self, reader: EventReader) -> None:
        """Close a stream."""
        self._readers.discard(reader)

    def wake(self) -> None:
        """Wake all streams; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """End every stream, and accept no more."""
        self._ended = True
        for reader in self._readers:
            reader.ended = True
            reader.changed.set()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.changed.set()
