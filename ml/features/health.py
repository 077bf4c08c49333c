"""Health and cascade risk of a service, as the seed defines them."""

from __future__ import annotations

import numpy as np

from ml.features.trends import filled
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph


def health(frame: Frame, graph: ServiceGraph) -> FloatArray:
    """Health of each service, 0 to 1: the seed's notion as one product, (B, S)."""
    answered = 1.0 - filled(frame.error_rate_percent) / 100.0
    present = filled(frame.availability_percent, 100.0) / 100.0
    late = np.clip(filled(frame.latency_p95_ms / graph.slo_latency_ms) - 1.0, 0.0, 1.0)
    return answered * present * (1.0 - 0.5 * late)


def seed_cascade_risk(
    cpu_percent: FloatArray, error_rate_percent: FloatArray, availability_percent: FloatArray
) -> FloatArray:
    """Apply the seed's rule for its database to any service: 1 if down, else by thresholds."""
    score = (
        0.4 * (cpu_percent > 80.0)
        + 0.3 * (error_rate_percent > 5.0)
        + 0.3 * (availability_percent < 95.0)
    )
    risk: FloatArray = np.where(availability_percent <= 0.0, 1.0, np.minimum(score, 1.0))
    return risk
