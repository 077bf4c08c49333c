"""Incidents of single services, live: when they begin and end, and how bad they get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ml.definitions.breach import breached
from ml.definitions.incidents import WINDOW_FRAMES, BoolArray, IncidentTracker
from server.records.findings import Peak, ServiceIncident
from telemetry.frame import Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph

NEVER = -1


@dataclass(frozen=True, eq=False, slots=True)
class Standing:
    """How the services stand after a frame; arrays of shape (S,) that are never changed.

    Frames count from 0, the first one that was watched.

    Attributes
    ----------
    frames
        How many were watched.
    open
        In an incident.
    onset, last_breach, end
        Frame of the first breach of the latest incident, of the latest breach, and the first
        frame after the latest incident that is over (-1: there was none).
    worst_error_rate, worst_latency_p95
        During the latest incident; -inf if never observed.
    error_rate_at, latency_p95_at
        Frames of those.
    """

    frames: int
    open: BoolArray
    onset: IntArray
    last_breach: IntArray
    end: IntArray
    worst_error_rate: FloatArray
    error_rate_at: IntArray
    worst_latency_p95: FloatArray
    latency_p95_at: IntArray

    @staticmethod
    def at_first(services: int) -> Standing:
        """Before any frame."""
        never = np.full(services, NEVER, dtype=np.intp)
        lowest = np.full(services, -np.inf)
        none = np.zeros(services, dtype=np.bool_)
        return Standing(0, none, never, never, never, lowest, never, lowest, never)


class FrameClock:
    """From numbers of frames to times on the simulated clock."""

    def __init__(self, start: datetime, interval_s: float) -> None:
        self._start, self.interval_s = start, interval_s

    def start_of(self, frame: int) -> datetime:
        """Start of a frame."""
        return self._start + timedelta(seconds=int(frame) * self.interval_s)

    def end_of(self, frame: int) -> datetime:
        """End of a frame: what was seen in it is known from then on."""
        return self.start_of(int(frame) + 1)


class ServiceIncidents:
    """Follows the incidents of all services of one run."""

    def __init__(self, graph: ServiceGraph) -> None:
        self._graph = graph
        self._tracker = IncidentTracker(1, graph.services)
        # Between onset and recognition lie as many frames; they count for the worst values.
        self._recent = np.full((2, WINDOW_FRAMES, graph.services), -np.inf)
        self.standing = Standing.at_first(graph.services)

    def update(self, frame: Frame) -> tuple[IntArray, IntArray]:
        """Take a frame; return the services whose incidents are recognised, and are over."""
        before, number = self.standing, self.standing.frames
        bad = breached(frame, self._graph)
        self._tracker.update(bad)
        going = self._tracker.open[0]
        began, ended = going & ~before.open, before.open & ~going
        seen = np.stack([frame.error_rate_percent[0], frame.latency_p95_ms[0]])
        seen = np.where(np.isfinite(seen), seen, -np.inf)
        self._recent[:, number % WINDOW_FRAMES] = seen
        worst = np.stack([before.worst_error_rate, before.worst_latency_p95])
        at = np.stack([before.error_rate_at, before.latency_p95_at])
        worse = going & (seen > worst)
        worst, at = np.where(worse, seen, worst), np.where(worse, number, at)
        onset = np.where(going, self._tracker.onset[0], before.onset)
        if began.any():
            worst[:, began], at[:, began] = self._since(onset[began], np.flatnonzero(began), number)
        self.standing = Standing(
            frames=number + 1,
            open=going,
            onset=onset,
            last_breach=np.where(bad[0], number, before.last_breach),
            end=np.where(ended, number + 1, before.end),
            worst_error_rate=worst[0],
            error_rate_at=at[0],
            worst_latency_p95=worst[1],
            latency_p95_at=at[1],
        )
        return np.flatnonzero(began), np.flatnonzero(ended)

    def _since(
        self, onset: IntArray, services: IntArray, number: int
    ) -> tuple[FloatArray, IntArray]:
        """Worst values of the recent frames from each onset on, and where they are, (2, N)."""
        frames = np.arange(number - WINDOW_FRAMES + 1, number + 1)
        recent = self._recent[:, frames % WINDOW_FRAMES][:, :, services]
        recent = np.where(frames[:, None] >= onset, recent, -np.inf)
        return recent.max(axis=1), frames[recent.argmax(axis=1)]


def described(
    standing: Standing, graph: ServiceGraph, clock: FrameClock, service: int
) -> ServiceIncident:
    """Describe the latest incident of a service."""
    return ServiceIncident(
        service=graph.names[service],
        onset=clock.start_of(standing.onset[service]),
        last_breach=clock.end_of(standing.last_breach[service]),
        end=None if standing.open[service] else clock.start_of(standing.end[service]),
        error_rate=_peak(
            standing.worst_error_rate[service], clock, standing.error_rate_at[service]
        ),
        latency_p95=_peak(
            standing.worst_latency_p95[service], clock, standing.latency_p95_at[service]
        ),
    )


def _peak(value: float, clock: FrameClock, frame: int) -> Peak | None:
    return Peak(float(value), clock.start_of(frame)) if np.isfinite(value) else None
