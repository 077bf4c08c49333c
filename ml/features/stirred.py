"""Where something has moved lately: the rows that a model has anything to say about.

Of the others, nine in ten, what follows is chance alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.features.table import NAMES

STIRRED_S, STRAINED = 60.0, 0.6


def stirred(features: NDArray[Any]) -> NDArray[np.bool_]:
    """Say where something has moved within a minute, (..., F) -> (...).

    A metric jumped or is off its normal, at the service or below it, or the service is more than
    half way to a breach.
    """

    def column(name: str) -> NDArray[Any]:
        values: NDArray[Any] = features[..., NAMES.index(name)]
        return values

    jumped = np.fmin(column("since_jump_s"), column("below_since_jump_s")) < STIRRED_S
    unusual = np.fmax(column("unusual_for_s"), column("below_unusual_for_s")) > 0.0
    found: NDArray[np.bool_] = jumped | unusual | (column("strain_mean_10s") > STRAINED)
    return found
