"""Recommendations for services at risk, from a snapshot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.definitions.risk import MEDIUM_FROM
from ml.serving.factors import Factor
from ml.serving.recommendations import Recommendation, recommendations
from server.pipeline.snapshot import Snapshot
from telemetry.graph import FloatArray, IntArray

MAX_ADVISED = 100
"""Services per snapshot, those most at risk, that have advice; `Predict` advises on all."""


def advice(
    snapshot: Snapshot, service: int, types: FloatArray, factors: Sequence[Factor] = ()
) -> list[Recommendation]:
    """Advise on one service at risk, the most promising first.

    Parameters
    ----------
    types
        (K,) probability of each type of incident.
    factors
        Reasons for the prediction, if they are known.
    """
    return recommendations(snapshot.graph, snapshot.frame, service, types, factors)


def advice_for_most_at_risk(
    snapshot: Snapshot, probability: FloatArray, types: FloatArray, chosen: IntArray
) -> dict[int, list[Recommendation]]:
    """Advise on those of some services, (N,) indices, that are most at risk.

    Gives the advice by index, the service most at risk first; `probability` is that of all
    services, (S,), `types` (S, K).
    """
    at_risk = chosen[probability[chosen] >= MEDIUM_FROM]
    ranked = at_risk[np.argsort(-probability[at_risk], kind="stable")][:MAX_ADVISED]
    return {service: advice(snapshot, service, types[service]) for service in ranked.tolist()}
