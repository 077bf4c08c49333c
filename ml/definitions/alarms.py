"""Alarms: when they are raised, and whether they were right (evaluation.md, section 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.definitions.incidents import BoolArray, Incident
from ml.definitions.labels import MIN_LEAD_FRAMES, unscored
from telemetry.graph import FloatArray

REQUIRED_PREDICTIONS, WINDOW_PREDICTIONS = 2, 3
CALM_FRAMES = 15
MAX_LEAD_FRAMES = 150


class AlarmTracker:
    """Raises and ends alarms prediction by prediction, for B copies of S services.

    An alarm is raised when the probability is at or above the threshold in 2 of 3 successive
    predictions; it ends with an incident, or when the probability has stayed below half the
    threshold for 30 s.

    Attributes
    ----------
    threshold
        Probability at which an alarm is raised; set it when the model changes.
    """

    def __init__(self, shape: tuple[int, ...], threshold: float) -> None:
        self.threshold = threshold
        self._above = np.zeros((WINDOW_PREDICTIONS, *shape), dtype=np.bool_)
        self._calm = np.zeros(shape, dtype=np.intp)
        self._raised = np.zeros(shape, dtype=np.bool_)

    @property
    def raised(self) -> BoolArray:
        """Whether an alarm is raised for each service."""
        return self._raised

    def rearrange(self, place: Callable[[NDArray[Any], Any], NDArray[Any]]) -> None:
        """Go on with other services; `place` as in `IncidentTracker.rearrange`."""
        self._above = place(self._above, False)
        self._calm = place(self._calm, 0)
        self._raised = place(self._raised, False)

    def update(self, probability: FloatArray, suppressed: BoolArray) -> BoolArray:
        """Take one prediction per service.

        Parameters
        ----------
        probability
            (B, S) predicted probabilities; NaN counts as 0.
        suppressed
            (B, S) True in an incident and in the 30 s after it: no alarm is raised, and one that
            is raised ends.
        """
        known = np.nan_to_num(probability)
        self._above = np.concatenate([self._above[1:], (known >= self.threshold)[None]])
        self._above[:, suppressed] = False
        self._calm = np.where(known < 0.5 * self.threshold, self._calm + 1, 0)
        rises = self._above.sum(axis=0) >= REQUIRED_PREDICTIONS
        self._raised = (self._raised & (self._calm < CALM_FRAMES) | rises) & ~suppressed
        return self._raised


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that was raised.

    Attributes
    ----------
    copy, service
        Indices of the copy and of the service.
    raised
        Index of the frame whose prediction raised it; it exists from the end of that frame on.
    ended
        Index of the first frame in which it is no longer raised.
    """

    copy: int
    service: int
    raised: int
    ended: int


def alarms(probability: FloatArray, incidents: Iterable[Incident], threshold: float) -> list[Alarm]:
    """All alarms of a recording of predictions (T, B, S), by copy, service and time."""
    silent = unscored(probability.shape, incidents)
    copies, services = np.nonzero((probability >= threshold).any(axis=0))
    tracker = AlarmTracker(copies.shape, threshold)
    padded = np.zeros((len(copies), len(probability) + 2), dtype=np.int8)
    series = zip(probability[:, copies, services], silent[:, copies, services], strict=True)
    for frame, (known, suppressed) in enumerate(series):
        padded[:, frame + 1] = tracker.update(known, suppressed)
    change = np.diff(padded, axis=1)
    places, starts = np.nonzero(change == 1)
    _, ends = np.nonzero(change == -1)
    found = zip(copies[places], services[places], starts, ends, strict=True)
    return [Alarm(*(int(number) for number in numbers)) for numbers in found]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How alarms and incidents match: `hits` maps an incident to the lead of its alarm, seconds."""

    hits: dict[Incident, float]
    missed: tuple[Incident, ...]
    false_alarms: tuple[Alarm, ...]


def match(raised: Iterable[Alarm], happened: Iterable[Incident], frame_s: float = 2.0) -> Outcome:
    """Match alarms with incidents: raised 4 s to 300 s before the onset, and still raised at it."""
    open_at = {(a.copy, a.service, a.ended): a for a in raised}
    hits: dict[Incident, float] = {}
    missed = []
    used = set()
    for incident in happened:
        alarm = open_at.get((incident.copy, incident.service, incident.onset))
        lead = incident.onset - alarm.raised - 1 if alarm else 0
        if alarm and MIN_LEAD_FRAMES <= lead <= MAX_LEAD_FRAMES:
            hits[incident] = lead * frame_s
            used.add(alarm)
        else:
            missed.append(incident)
    return Outcome(hits, tuple(missed), tuple(a for a in open_at.values() if a not in used))
