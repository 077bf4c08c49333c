"""Labels: whether an incident follows, for each service and frame (evaluation.md, section 1)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ml.definitions.incidents import QUIET_FRAMES, BoolArray, Incident

HORIZON_S = 60.0
HORIZON_FRAMES = 30
MIN_LEAD_FRAMES = 2
"""An alarm less than 4 s before the onset is too late."""


def labels(
    shape: tuple[int, int, int], incidents: Iterable[Incident], min_ahead: int = 1
) -> BoolArray:
    """Whether an onset lies in (t, t + 60 s], for each frame, copy and service (T, B, S).

    `min_ahead` leaves onsets out that are fewer frames ahead.
    """
    result = np.zeros(shape, dtype=np.bool_)
    for incident in incidents:
        earliest = max(0, incident.onset - HORIZON_FRAMES)
        latest = max(0, incident.onset - min_ahead + 1)
        result[earliest:latest, incident.copy, incident.service] = True
    return result


def unscored(shape: tuple[int, ...], incidents: Iterable[Incident]) -> BoolArray:
    """Whether a row lies in an incident or in the 30 s after it: predicting is not detecting."""
    result = np.zeros(shape, dtype=np.bool_)
    for incident in incidents:
        latest = incident.end + QUIET_FRAMES
        result[incident.onset : latest, incident.copy, incident.service] = True
    return result
