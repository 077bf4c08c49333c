"""Active rows: those in which a metric has changed recently, which the model is evaluated for.

Of the other rows, nine in ten of all, incidents follow by chance alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.features.table import NAMES

ACTIVE_S, ACTIVE_STRAIN = 60.0, 0.6
MIN_AVAILABILITY_PERCENT, MAX_ERROR_RATE_PERCENT = 99.0, 1.0


def active_rows(features: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the rows that were active within the last minute, (..., F) -> (...).

    A row is active if a metric jumped or is outside its normal range, or a replica is missing, at
    the service or below it; or if requests fail, or the strain of the service is above 0.6.
    """

    def column(name: str) -> NDArray[Any]:
        values: NDArray[Any] = features[..., NAMES.index(name)]
        return values

    jumped = np.fmin(column("since_jump_s"), column("below_since_jump_s")) < ACTIVE_S
    unusual = np.fmax(column("unusual_for_s"), column("below_unusual_for_s")) > 0.0
    ready = np.fmin(column("availability_percent"), column("below_availability_least"))
    errors = np.fmax(column("error_rate_percent"), column("edge_error_worst"))
    failing = np.fmax(errors, column("dependency_error_worst")) > MAX_ERROR_RATE_PERCENT
    strained = column("strain_mean_10s") > ACTIVE_STRAIN
    active: NDArray[np.bool_] = (
        jumped | unusual | (ready < MIN_AVAILABILITY_PERCENT) | failing | strained
    )
    return active
