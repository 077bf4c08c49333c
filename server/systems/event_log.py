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
    """Events that a reader asked for and that are not there any more.

    Attributes
    ----------
    run_id
        Run of the lost events.
    first, last
        First and last number lost; None if not known, for the run itself is not known any more.
    """

    run_id: str
    first: int | None
    last: int | None


class EventLog:
    """The latest events of this run and of those before it; safe to use from any thread.

    Parameters
    ----------
    earlier
        Events of earlier runs, oldest first.
    max_events
        How many are kept.
    """

    def __init__(self, earlier: Iterable[LoggedEvent] = (), max_events: int = MAX_RECORDS) -> None:
        self._events: deque[LoggedEvent] = deque(earlier, maxlen=max_events)
        self._lock = threading.Lock()
        self._run_id, self._sequence = "", 0
        self._listeners: list[Callable[[], None]] = []
        self._added = len(self._events)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called, from whatever thread, after events were added."""
        self._listeners.append(listener)

    def add(self, run_id: str, events: Iterable[Event], now: datetime) -> list[LoggedEvent]:
        """Give each a place; a run that was not known begins."""
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
        """Position after the latest event, to read on from; with that event's run and number."""
        with self._lock:
            return self._added, self._run_id, self._sequence

    def position(self, run_id: str, sequence: int) -> tuple[int, LostEvents | None]:
        """Find where to read on after an event, and what is lost before that.

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
                return self._added, None  # a run without events that are kept: nothing follows
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
        At most `limit` events, the position after them, and what is lost before them because it
        was read too late.
        """
        with self._lock:
            first = self._added - len(self._events)
            lost = None
            if position < first:
                # Whose events they were is not kept; those of the run of the oldest one are told.
                oldest = self._events[0]
                number = max(1, oldest.sequence - (first - position))
                lost = LostEvents(oldest.run_id, number, oldest.sequence - 1)
                position = first
            start = position - first
            events = list(islice(self._events, start, start + limit))
            return events, position + len(events), lost
