"""Incidents: their onset and their end (evaluation.md, section 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]

WINDOW_FRAMES = 8
MIN_BREACHED_FRAMES = 5
ONGOING_FRAMES = 5
QUIET_FRAMES = 15
"""An incident ends after 30 s without a breach; the 30 s after that are not scored either."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident.

    Attributes
    ----------
    copy, service
        Indices of the copy and of the service.
    onset
        Index of the frame with its first breached interval.
    end
        Index of the first frame after it; the number of frames so far if it is still open.
    """

    copy: int
    service: int
    onset: int
    end: int


class IncidentTracker:
    """Detects incidents from breaches, frame by frame, for B copies of S services."""

    def __init__(self, copies: int, services: int) -> None:
        shape = (copies, services)
        self._recent = np.zeros((WINDOW_FRAMES, *shape), dtype=np.bool_)
        self._open = np.zeros(shape, dtype=np.bool_)
        self._quiet = np.zeros(shape, dtype=np.intp)
        self._onset = np.zeros(shape, dtype=np.intp)
        self._frames = 0

    @property
    def ongoing(self) -> BoolArray:
        """Whether each service is in an incident and was breached in the last 10 s, (B, S)."""
        return self._open & (self._quiet < ONGOING_FRAMES)

    @property
    def open(self) -> BoolArray:
        """Whether each service is in an incident, (B, S); never changed afterwards."""
        return self._open

    @property
    def onset(self) -> NDArray[np.intp]:
        """Frame at which each service's latest incident began, (B, S); never changed afterwards."""
        return self._onset

    def update(self, breached: BoolArray) -> list[Incident]:
        """Take one frame's breaches (B, S); return the incidents that ended with it."""
        self._recent = np.concatenate([self._recent[1:], breached[None]])
        self._quiet = np.where(breached, 0, self._quiet + 1)
        begins = ~self._open & (self._recent.sum(axis=0) >= MIN_BREACHED_FRAMES)
        first = self._frames - WINDOW_FRAMES + 1 + self._recent.argmax(axis=0)
        self._onset = np.where(begins, first, self._onset)
        ends = self._open & (self._quiet >= QUIET_FRAMES)
        self._open = (self._open | begins) & ~ends
        self._frames += 1
        return self._as_incidents(ends, self._frames)

    def rearrange(self, place: Callable[[NDArray[Any], Any], NDArray[Any]]) -> None:
        """Go on with other services.

        `place` takes values of each service, (..., S), and what those of a new one are.
        """
        self._recent = place(self._recent, False)
        self._open = place(self._open, False)
        self._quiet = place(self._quiet, 0)
        self._onset = place(self._onset, 0)

    def unfinished(self) -> list[Incident]:
        """Incidents that are still open."""
        return self._as_incidents(self._open, self._frames)

    def _as_incidents(self, where: BoolArray, end: int) -> list[Incident]:
        return [
            Incident(int(b), int(s), int(self._onset[b, s]), end) for b, s in np.argwhere(where)
        ]


def incidents(breached: BoolArray) -> list[Incident]:
    """All incidents of a recording, by copy, service and onset; `breached` is (T, B, S)."""
    tracker = IncidentTracker(*breached.shape[1:])
    found = [incident for frame in breached for incident in tracker.update(frame)]
    found += tracker.unfinished()
    return sorted(found, key=lambda i: (i.copy, i.service, i.onset))
