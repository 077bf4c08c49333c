"""Breached intervals (evaluation.md, section 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telemetry.frame import Frame
from telemetry.graph import ServiceGraph

MIN_ERROR_RATE_PERCENT = 5.0
MIN_FAILED_REQUESTS = 5.0


def breached(frame: Frame, graph: ServiceGraph) -> NDArray[np.bool_]:
    """Say for each service whether its interval is breached, shape (B, S).

    Error rate of at least 5 % with at least 5 failed requests, or 95th percentile of the latency
    above the objective, or no replica up. A value that is not observed breaches nothing.
    """
    with np.errstate(invalid="ignore"):
        failing = (frame.error_rate_percent >= MIN_ERROR_RATE_PERCENT) & (
            frame.failed_count >= MIN_FAILED_REQUESTS
        )
        slow = frame.latency_p95_ms > graph.slo_latency_ms
        gone = frame.availability_percent <= 0.0
    result: NDArray[np.bool_] = failing | slow | gone
    return result
