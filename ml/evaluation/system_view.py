"""The system as one service, which has an incident while any of its entries has one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ml.definitions.incidents import Incident
from ml.definitions.labels import MIN_LEAD_FRAMES, labels, unscored
from ml.episodes.counterfactual import Cause
from ml.evaluation.pool import Scored


def of_system(scored: Scored) -> Scored:
    """Give recording and score of a whole system: the highest score of its entries."""
    recording = scored.recording
    entries = np.flatnonzero(recording.graph.entry)
    merged: list[Incident] = []
    causes: list[Cause | None] = []
    order = sorted(range(len(recording.incidents)), key=lambda n: recording.incidents[n].onset)
    latest: dict[int, int] = {}
    for number in order:
        incident = recording.incidents[number]
        if incident.service not in entries:
            continue
        place = latest.get(incident.copy)
        if place is not None and incident.onset <= merged[place].end:
            merged[place] = replace(merged[place], end=max(merged[place].end, incident.end))
            continue
        latest[incident.copy] = len(merged)
        merged.append(Incident(incident.copy, 0, incident.onset, incident.end))
        causes.append(recording.causes[number] if recording.causes else None)
    shape = (*scored.score.shape[:2], 1)
    return Scored(
        replace(
            recording,
            features=np.empty((*shape, 0), dtype=np.float32),
            label=labels(shape, merged),
            timely=labels(shape, merged, MIN_LEAD_FRAMES + 1),
            scored=~unscored(shape, merged),
            incidents=tuple(merged),
            types=(),
            causes=tuple(causes) if recording.causes else (),
            counterfactuals=None,
        ),
        scored.score[:, :, entries].max(axis=2, keepdims=True),
    )
