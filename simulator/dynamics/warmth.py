"""How warm the replicas of a service are: cold after a start, warm with time."""

from __future__ import annotations

import numpy as np

from telemetry.graph import FloatArray


def advance(
    warmth: FloatArray, before: FloatArray, ready: FloatArray, warm_s: FloatArray, step_s: float
) -> FloatArray:
    """Advance by one sub-step.

    Parameters
    ----------
    warmth
        (K, B) mean over the replicas, 0 cold to 1 warm.
    before, ready
        (K, B) ready replicas before and after the step; those that are new are cold.
    warm_s
        (K, 1) a cold replica is warm to 63 % after so long.
    step_s
        Length of the sub-step in seconds.
    """
    kept = np.divide(np.minimum(before, ready), ready, out=np.zeros_like(ready), where=ready > 0.0)
    warmer: FloatArray = 1.0 - (1.0 - warmth * kept) * np.exp(-step_s / warm_s)
    return np.where(ready > 0.0, warmer, 0.0)
