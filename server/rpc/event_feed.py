"""Streams of events: each reads the log at its own pace, and reports what it missed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from server.errors import ServerError, Violation, invalid, shutting_down
from server.records.events import EventKind, LoggedEvent
from server.rpc import events
from server.rpc.heartbeat import Idleness
from server.rpc.stream_slots import StreamSlots
from server.systems.event_log import EventLog
from sre_edge.v1 import heartbeat_pb2, incident_service_pb2

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
        system: str,
        criteria: EventFilter,
        position: int,
        first: Iterable[incident_service_pb2.StreamEventsResponse],
    ) -> None:
        self._log, self._system = log, system
        self._criteria, self._position = criteria, position
        self._waiting = deque(message.SerializeToString() for message in first)
        self._unread = True  # whether the log may hold more
        self._changed = asyncio.Event()
        self._ended: ServerError | None = None
        self._idleness = Idleness()
        self._heartbeat = b""

    @property
    def idle(self) -> bool:
        """Whether a heartbeat is due."""
        return self._idleness.due

    def beat(self, heartbeat: bytes) -> None:
        """Send a heartbeat, unless there is an event."""
        self._heartbeat = heartbeat
        self._changed.set()

    def wake(self) -> None:
        """Look into the log again."""
        self._unread = True
        self._changed.set()

    def end(self, error: ServerError) -> None:
        """End the stream with an error."""
        self._ended = error
        self._changed.set()

    async def next(self) -> bytes:
        """Wait for the next message.

        Raises
        ------
        ServerError
            The error that the stream was ended with.
        """
        message = await self._next()
        self._heartbeat = b""
        self._idleness.sent()
        return message

    async def _next(self) -> bytes:
        while True:
            if self._ended is not None:
                raise self._ended
            if self._waiting:
                return self._waiting.popleft()
            if self._unread:
                self._unread, before = False, self._position
                self._waiting.extend(await asyncio.to_thread(self._read))
                self._unread |= self._position != before
                continue
            if self._heartbeat:
                return self._heartbeat
            self._changed.clear()
            await self._changed.wait()

    def _read(self) -> list[bytes]:
        found, self._position, lost = self._log.read(self._position, BATCH_EVENTS)
        messages = [events.gap(lost, slow=True)] if lost is not None else []
        messages += [
            events.event(event, self._system) for event in found if self._criteria.passes(event)
        ]
        return [message.SerializeToString() for message in messages]


class EventFeed:
    """All streams of events; used from the event loop only, except `wake`.

    Parameters
    ----------
    log
        Log of events.
    slots
        Limit of open streams.
    system
        Id of the system.
    """

    def __init__(self, log: EventLog, slots: StreamSlots, system: str) -> None:
        self._log, self._slots, self._system = log, slots, system
        self._readers: set[EventReader] = set()
        self._ended: ServerError | None = None
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
        if self._ended is not None:
            raise self._ended
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
        self._slots.take()
        reader = EventReader(self._log, self._system, criteria, position, first)
        self._readers.add(reader)
        return reader

    def unsubscribe(self, reader: EventReader) -> None:
        """Close a stream."""
        if reader in self._readers:
            self._readers.remove(reader)
            self._slots.give_back()

    def wake(self) -> None:
        """Wake all streams; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._wake)

    def beat(self, heartbeat: heartbeat_pb2.Heartbeat) -> None:
        """Send a heartbeat to the streams that are idle; it is encoded once for all."""
        idle = [reader for reader in self._readers if reader.idle]
        if idle:
            message = incident_service_pb2.StreamEventsResponse(heartbeat=heartbeat)
            data = message.SerializeToString()
            for reader in idle:
                reader.beat(data)

    def end(self, error: ServerError | None = None) -> None:
        """End every stream, and accept no more; without an error because the server stops."""
        self._ended = error or shutting_down()
        for reader in self._readers:
            reader.end(self._ended)

    def _wake(self) -> None:
        for reader in self._readers:
            reader.wake()
