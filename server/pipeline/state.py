"""The first stage: breaches and incidents of each service, computed once per frame."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.definitions.incidents import WINDOW_FRAMES, BoolArray, IncidentTracker
from server.records.findings import Peak, ServiceIncident, Status
from telemetry.frame import Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph
from telemetry.graph_change import GraphChange

NEVER = -1


@dataclass(frozen=True, eq=False, slots=True)
class ServiceStates:
    """State of the services after a frame; immutable, arrays of shape (S,).

    Frames count from 0, the first one of the run.

    Attributes
    ----------
    frames
        Number of frames so far.
    breached
        Whether it was breached during the frame.
    open, ongoing
        Whether it is in an incident; whether it also was breached in the last 10 s.
    began, ended
        Indices, (N,), of services whose incidents were recognised or ended with this frame.
    onset, last_breach, end
        Frame of the first breach of the latest incident, of the latest breach, and the first
        frame after the latest incident that is over (-1: there was none).
    worst_error_rate, worst_latency_p95
        During the latest incident; -inf if never observed.
    error_rate_at, latency_p95_at
        Frames of those.
    """

    frames: int
    breached: BoolArray
    open: BoolArray
    ongoing: BoolArray
    began: IntArray
    ended: IntArray
    onset: IntArray
    last_breach: IntArray
    end: IntArray
    worst_error_rate: FloatArray
    error_rate_at: IntArray
    worst_latency_p95: FloatArray
    latency_p95_at: IntArray

    @staticmethod
    def before_any(services: int) -> ServiceStates:
        """State before any frame."""
        never = np.full(services, NEVER, dtype=np.intp)
        lowest = np.full(services, -np.inf)
        no = np.zeros(services, dtype=np.bool_)
        none = np.zeros(0, dtype=np.intp)
        return ServiceStates(
            0, no, no, no, none, none, never, never, never, lowest, never, lowest, never
        )

    @property
    def frame(self) -> int:
        """Number of the latest frame."""
        return self.frames - 1

    def after(self, change: GraphChange) -> ServiceStates:
        """Convert the state to a changed graph."""
        new = ServiceStates.before_any(1)
        changed: dict[str, Any] = {
            field.name: change.of_services(getattr(self, field.name), getattr(new, field.name)[0])
            for field in fields(self)
            if field.name not in ("frames", "began", "ended")
        }
        return replace(self, **changed)


class FrameClock:
    """Converts numbers of frames to times on the clock of the system."""

    def __init__(self, start: datetime, interval_s: float) -> None:
        self._start, self.interval_s = start, interval_s

    def start_of(self, frame: int) -> datetime:
        """Start of a frame."""
        return self._start + timedelta(seconds=int(frame) * self.interval_s)

    def end_of(self, frame: int) -> datetime:
        """End of a frame, when its values are known."""
        return self.start_of(int(frame) + 1)


class StateStage:
    """Tracks breaches and incidents of all services of one run.

    Attributes
    ----------
    states
        After the latest frame.
    """

    def __init__(self, graph: ServiceGraph) -> None:
        self._graph = graph
        self._tracker = IncidentTracker(1, graph.services)
        # The frames between onset and recognition count for the worst values, too.
        self._recent = np.full((2, WINDOW_FRAMES, graph.services), -np.inf)
        self.states = ServiceStates.before_any(graph.services)

    def update(self, frame: Frame, bad: BoolArray) -> ServiceStates:
        """Process a frame."""
        before, number = self.states, self.states.frames
        self._tracker.update(bad)
        open_now = self._tracker.open[0]
        began, ended = open_now & ~before.open, before.open & ~open_now
        values = np.stack([frame.error_rate_percent[0], frame.latency_p95_ms[0]])
        values = np.where(np.isfinite(values), values, -np.inf)
        self._recent[:, number % WINDOW_FRAMES] = values
        worst = np.stack([before.worst_error_rate, before.worst_latency_p95])
        at = np.stack([before.error_rate_at, before.latency_p95_at])
        worse = open_now & (values > worst)
        worst, at = np.where(worse, values, worst), np.where(worse, number, at)
        onset = np.where(open_now, self._tracker.onset[0], before.onset)
        if began.any():
            worst[:, began], at[:, began] = self._since(onset[began], np.flatnonzero(began), number)
        self.states = ServiceStates(
            frames=number + 1,
            breached=bad[0],
            open=open_now,
            ongoing=self._tracker.ongoing[0],
            began=np.flatnonzero(began),
            ended=np.flatnonzero(ended),
            onset=onset,
            last_breach=np.where(bad[0], number, before.last_breach),
            end=np.where(ended, number + 1, before.end),
            worst_error_rate=worst[0],
            error_rate_at=at[0],
            worst_latency_p95=worst[1],
            latency_p95_at=at[1],
        )
        return self.states

    def change_graph(self, change: GraphChange) -> None:
        """Change the graph; a new service has no breaches yet."""
        self._graph = change.after
        self._tracker.rearrange(change.of_services)
        self._recent = change.of_services(self._recent, -np.inf)
        self.states = self.states.after(change)

    def _since(
        self, onset: IntArray, services: IntArray, number: int
    ) -> tuple[FloatArray, IntArray]:
        """Worst values of the recent frames from each onset on, and where they are, (2, N)."""
        frames = np.arange(number - WINDOW_FRAMES + 1, number + 1)
        recent = self._recent[:, frames % WINDOW_FRAMES][:, :, services]
        recent = np.where(frames[:, None] >= onset, recent, -np.inf)
        return recent.max(axis=1), frames[recent.argmax(axis=1)]


def statuses(frame: Frame, bad: NDArray[np.bool_]) -> tuple[Status, ...]:
    """Status of each service of copy 0, of which `bad`, (S,), are breached.

    Where nothing that decides it is observed, or nothing recent is known, it is unknown.
    """
    ready, failed = frame.availability_percent[0], frame.error_rate_percent[0]
    unknown = np.isnan(ready) & np.isnan(failed) & np.isnan(frame.latency_p95_ms[0])
    if frame.age is not None:
        unknown |= frame.age.stale(frame.interval_s)[0]
    with np.errstate(invalid="ignore"):
        down = (ready <= 0) | (failed >= 100.0)
    return tuple(
        Status.UNKNOWN
        if unseen
        else Status.DOWN
        if gone
        else Status.DEGRADED
        if trouble
        else Status.HEALTHY
        for unseen, gone, trouble in zip(unknown, down, bad, strict=True)
    )


def describe(
    states: ServiceStates, graph: ServiceGraph, clock: FrameClock, service: int
) -> ServiceIncident:
    """Describe the latest incident of a service."""
    return ServiceIncident(
        service=graph.names[service],
        onset=clock.start_of(states.onset[service]),
        last_breach=clock.end_of(states.last_breach[service]),
        end=None if states.open[service] else clock.start_of(states.end[service]),
        error_rate=_peak(states.worst_error_rate[service], clock, states.error_rate_at[service]),
        latency_p95=_peak(states.worst_latency_p95[service], clock, states.latency_p95_at[service]),
    )


def _peak(value: float, clock: FrameClock, frame: int) -> Peak | None:
    return Peak(float(value), clock.start_of(frame)) if np.isfinite(value) else None
