"""What happened, in order: events, and the log that streams read from."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice

from server.pipeline.snapshot import Status
from server.records.experiments import InjectedFault
from server.records.findings import Alarm, Incident, SloAlert

KEPT = 10_000


class EventKind(StrEnum):
    """What happened."""

    RUN_STARTED = "run_started"
    FAULT_STARTED = "fault_started"
    FAULT_ENDED = "fault_ended"
    FAULT_STOPPED = "fault_stopped"
    KILL_SWITCH_ENGAGED = "kill_switch_engaged"
    KILL_SWITCH_LIFTED = "kill_switch_lifted"
    STATUS_CHANGED = "status_changed"
    ALARM_RAISED = "alarm_raised"
    ALARM_ENDED = "alarm_ended"
    SLO_ALERT_FIRED = "slo_alert_fired"
    SLO_ALERT_CLEARED = "slo_alert_cleared"
    INCIDENT_OPENED = "incident_opened"
    INCIDENT_SPREAD = "incident_spread"
    INCIDENT_CLOSED = "incident_closed"
    MODEL_ACTIVATED = "model_activated"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A service that stands otherwise than an interval before."""

    before: Status
    after: Status


@dataclass(frozen=True, slots=True)
class RunStart:
    """What a run is of."""

    topology: str
    seed: int


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model that is used from now on."""

    version: str


Detail = InjectedFault | StatusChange | Alarm | SloAlert | Incident | RunStart | ModelChange | None


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened and has no place in the log yet.

    Attributes
    ----------
    kind
        What.
    time
        When it was known, simulated clock.
    services
        Whom it concerns; none: the whole system.
    text
        The same in one plain sentence.
    detail
        Record that it is about.
    """

    kind: EventKind
    time: datetime
    services: tuple[str, ...]
    text: str
    detail: Detail = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with its place in the log.

    Attributes
    ----------
    run_id, sequence
        Its run, and its number in that run, from 1 on, without holes.
    produced
        When it was noticed, wall clock.
    kind, time, services, text, detail
        As in `Happening`.
    """

    run_id: str
    sequence: int
    produced: datetime
    kind: EventKind
    time: datetime
    services: tuple[str, ...]
    text: str
    detail: Detail


@dataclass(frozen=True, slots=True)
class Lost:
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
    kept
        How many are kept.
    """

    def __init__(self, earlier: Iterable[Event] = (), kept: int = KEPT) -> None:
        self._events: deque[Event] = deque(earlier, maxlen=kept)
        self._lock = threading.Lock()
        self._run_id, self._sequence = "", 0
        self._listeners: list[Callable[[], None]] = []
        self._added = len(self._events)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called, from whatever thread, after events were added."""
        self._listeners.append(listener)

    def add(self, run_id: str, found: Iterable[Happening], now: datetime) -> list[Event]:
        """Give each a place; a run that was not known begins."""
        added = []
        with self._lock:
            if run_id != self._run_id:
                self._run_id, self._sequence = run_id, 0
            for one in found:
                self._sequence += 1
                added.append(
                    Event(run_id, self._sequence, now, one.kind, one.time, one.services, one.text,
                          one.detail)
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

    def position(self, run_id: str, sequence: int) -> tuple[int, Lost | None]:
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
                return next(present, self._added), Lost(run_id, None, None)
            oldest = own[0][1].sequence
            lost = Lost(run_id, sequence + 1, oldest - 1) if sequence + 1 < oldest else None
            following = (i for i, event in own if event.sequence > sequence)
            return next(following, own[-1][0] + 1), lost

    def read(self, position: int, limit: int) -> tuple[list[Event], int, Lost | None]:
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
                lost = Lost(oldest.run_id, number, oldest.sequence - 1)
                position = first
            start = position - first
            found = list(islice(self._events, start, start + limit))
            return found, position + len(found), lost
