"""The log of events that streams read from."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from server.records.events import MAX_RECORDS, Event, LoggedEvent


@dataclass(frozen=True, slots=True)
class LostEvents:
    """Events that a reader asked for and that are no longer in the log.

    Attributes
    ----------
    run_id
        Run of the lost events.
    first, last
        First and last number lost; None if the run itself is no longer known.
    """

    run_id: str
    first: int | None
    last: int | None


class EventLog:
    """The latest events of this run and of earlier runs; safe to use from any thread.

    Parameters
    ----------
    earlier
        Events of earlier runs, oldest first.
    max_events
        Number of events that are kept.
    """

    def __init__(self, earlier: Iterable[LoggedEvent] = (), max_events: int = MAX_RECORDS) -> None:
        self._events: deque[LoggedEvent] = deque(earlier, maxlen=max_events)
        self._lock = threading.Lock()
        self._run_id, self._sequence = "", 0
        self._listeners: list[Callable[[], None]] = []
        self._added = len(self._events)

    def listen(self, listener: Callable[[], None]) -> None:
        """Register a function that is called, from any thread, after events were added."""
        self._listeners.append(listener)

    def add(self, run_id: str, events: Iterable[Event], now: datetime) -> list[LoggedEvent]:
        """Append events, with numbers; an unknown run becomes the present one."""
        added = []
        with self._lock:
            if run_id != self._run_id:
                self._run_id, self._sequence = run_id, 0
            for event in events:
                self._sequence += 1
                added.append(
                    LoggedEvent(
                        run_id, self._sequence, now, event.kind, event.time, event.services,
                        event.text, event.detail,
                    )
                )  # fmt: skip
            self._events.extend(added)
            self._added += len(added)
        if added:
            for listener in self._listeners:
                listener()
        return added

    @property
    def latest(self) -> tuple[int, str, int]:
        """Position after the latest event, with the run and number of that event."""
        with self._lock:
            return self._added, self._run_id, self._sequence

    def position(self, run_id: str, sequence: int) -> tuple[int, LostEvents | None]:
        """Find the position after an event, and the events lost before it.

        Raises
        ------
        ValueError
            If the present run has no such event yet.
        """
        with self._lock:
            if run_id == self._run_id and sequence > self._sequence:
                raise ValueError(f"expected at most {self._sequence}, the latest of this run")
            first = self._added - len(self._events)
            own = [(i, e) for i, e in enumerate(self._events, first) if e.run_id == run_id]
            if not own and run_id == self._run_id:
                return self._added, None  # no events of this run are kept, so nothing follows
            if not own:
                present = (i for i, e in enumerate(self._events, first) if e.run_id == self._run_id)
                return next(present, self._added), LostEvents(run_id, None, None)
            oldest = own[0][1].sequence
            lost = LostEvents(run_id, sequence + 1, oldest - 1) if sequence + 1 < oldest else None
            following = (i for i, event in own if event.sequence > sequence)
            return next(following, own[-1][0] + 1), lost

    def read(self, position: int, limit: int) -> tuple[list[LoggedEvent], int, LostEvents | None]:
        """Read events from a position on.

        Returns
        -------
        At most `limit` events, the position after them, and the events lost before them because
        they were read too late.
        """
        with self._lock:
            first = self._added - len(self._events)
            lost = None
            if position < first:
                # Their runs are not kept; only those of the oldest event's run are reported.
                oldest = self._events[0]
                number = max(1, oldest.sequence - (first - position))
                lost = LostEvents(oldest.run_id, number, oldest.sequence - 1)
                position = first
            start = position - first
            events = list(islice(self._events, start, start + limit))
            return events, position + len(events), lost
