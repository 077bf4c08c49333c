"""Events of many recordings at once: which incidents were foreseen, which alarms were false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ml.definitions.alarms import Alarm, alarms, match
from ml.definitions.labels import HORIZON_S
from ml.episodes.recording import Recording
from telemetry.graph import FloatArray


@dataclass(frozen=True, eq=False)
class Scored:
    """A recording and the scores of a predictor on it, (T, B, S)."""

    recording: Recording
    score: FloatArray


class Tally(NamedTuple):
    """Counts of events; of each episode, shape (N,), or of all.

    Attributes
    ----------
    incidents, foreseeable, hits, foreseeable_hits
        Incidents, those whose cause had acted for 10 s, and those of either that were foreseen.
    alarms, false_alarms, justified_alarms
        Alarms that were raised, and those of them that were wrong or would have been right.
    """

    incidents: FloatArray
    foreseeable: FloatArray
    hits: FloatArray
    foreseeable_hits: FloatArray
    alarms: FloatArray
    false_alarms: FloatArray
    justified_alarms: FloatArray


class EventCounts(NamedTuple):
    """Events at a threshold.

    Attributes
    ----------
    tally
        Counts per episode.
    lead_s
        (I,) lead of the alarm of each incident, NaN for those that were missed.
    lead_shares
        Lead of each foreseeable hit over the time that there was, 0 to 1.
    alarm_frames
        Number of frames under alarm.
    """

    tally: Tally
    lead_s: FloatArray
    lead_shares: list[float]
    alarm_frames: int


class Pool:
    """Recordings side by side as one, so that alarms of all are raised in one pass.

    Each episode of each recording is a row of series, N of them in all. Those that are shorter
    than the longest end quietly: nothing is expected of what they lack.
    """

    def __init__(self, scored: Sequence[Scored]) -> None:
        self.scored = tuple(scored)
        frames = max(len(s.score) for s in scored)
        self._score = np.concatenate([_lengthened(s.score, frames) for s in scored], axis=1)
        ends = np.cumsum([s.score.shape[1] for s in scored])
        self._episode = np.concatenate(
            [
                np.repeat(np.arange(end - s.score.shape[1], end), s.score.shape[2])
                for s, end in zip(scored, ends, strict=True)
            ]
        )
        self.incidents = [
            (s.recording, number) for s in scored for number in range(len(s.recording.incidents))
        ]
        first = np.cumsum([0] + [s.score[0].size for s in scored])
        self._first = first
        self._pooled = [
            replace(i, copy=0, service=int(start + i.copy * s.score.shape[2] + i.service))
            for s, start in zip(scored, first, strict=False)
            for i in s.recording.incidents
        ]
        self._known_justified: dict[tuple[int, int], bool] = {}

    def count(self, threshold: float) -> EventCounts:
        """Count events at an alarm threshold."""
        found = alarms(self._score[:, None, :], self._pooled, threshold)
        outcome = match(found, self._pooled)
        episodes = int(self._episode[-1]) + 1
        tally = Tally(*np.zeros((len(Tally._fields), episodes)))
        lead_s = np.array([outcome.hits.get(incident, np.nan) for incident in self._pooled])
        lead_shares = []
        for incident, lead, (recording, number) in zip(
            self._pooled, lead_s, self.incidents, strict=True
        ):
            episode, hit = self._episode[incident.service], np.isfinite(lead)
            expected = recording.foreseeable(number)
            tally.incidents[episode] += 1
            tally.foreseeable[episode] += expected
            tally.hits[episode] += hit
            tally.foreseeable_hits[episode] += hit and expected
            cause = recording.causes[number] if recording.causes else None
            if hit and expected and cause is not None:
                available = min(HORIZON_S, recording.seconds(incident.onset) - cause.start_s)
                lead_shares.append(min(1.0, float(lead) / available))
        for alarm in found:
            tally.alarms[self._episode[alarm.service]] += 1
        for alarm in outcome.false_alarms:
            justified = self._justified(alarm)
            counted = tally.justified_alarms if justified else tally.false_alarms
            counted[self._episode[alarm.service]] += 1
        alarm_frames = sum(alarm.ended - alarm.raised for alarm in found)
        return EventCounts(tally, lead_s, lead_shares, alarm_frames)

    def _justified(self, alarm: Alarm) -> bool:
        """Whether a false alarm would have been right if the faults of its moment had held on."""
        key = (alarm.service, alarm.raised)
        if key not in self._known_justified:
            place = int(np.searchsorted(self._first, alarm.service, side="right")) - 1
            recording = self.scored[place].recording
            services = self.scored[place].score.shape[2]
            copy, service = divmod(alarm.service - int(self._first[place]), services)
            self._known_justified[key] = _justified(
                recording, Alarm(copy, service, alarm.raised, 0)
            )
        return self._known_justified[key]


def _lengthened(score: FloatArray, frames: int) -> FloatArray:
    """Give the scores of all series, (frames, N), zero beyond their end."""
    series = score.reshape(len(score), -1)
    return np.pad(series, ((0, frames - len(series)), (0, 0)))


def _justified(recording: Recording, alarm: Alarm) -> bool:
    if recording.counterfactuals is None:
        return False
    later = [
        incident.onset
        for incident in recording.incidents
        if (incident.copy, incident.service) == (alarm.copy, alarm.service)
        and incident.onset > alarm.raised
    ]
    next_s = recording.seconds(min(later)) if later else None
    t_s = recording.seconds(alarm.raised + 1)
    return recording.counterfactuals.justified(alarm.copy, alarm.service, t_s, next_s)
