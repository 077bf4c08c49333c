"""Data of the plots of a predictor: operating points of alarms, reliability, lead times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.evaluation.incident_table import incident_table
from ml.evaluation.metrics import candidates, event_ratios
from ml.evaluation.pool import Pool, Scored

BINS, MIN_PROBABILITY = 12, 1e-3
LEAD_STEP_S, LONGEST_LEAD_S = 10, 120


def curves(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    """Everything at once, for a model's metrics; `threshold` is that of its alarms."""
    return {
        "operating_points": operating_points(scored),
        "reliability": reliability(scored),
        "lead_times": lead_times(scored, threshold),
    }


def operating_points(scored: Sequence[Scored]) -> list[dict[str, float | None]]:
    """Figures of merit of alarms at rising thresholds."""
    pool = Pool(scored)
    points = []
    for threshold in candidates(scored):
        figures = event_ratios(pool.count(threshold).tally)
        names = ("foreseeable_recall", "event_precision", "false_alarms_per_episode")
        points.append({"threshold": threshold, **{name: figures[name] for name in names}})
    return points


def reliability(scored: Sequence[Scored]) -> list[dict[str, float]]:
    """Compare predictions with what happened: rows in bins of rising probability, none empty."""
    label = np.concatenate([s.recording.label[s.recording.scored] for s in scored])
    score = np.concatenate([s.score[s.recording.scored] for s in scored])
    edges = np.geomspace(MIN_PROBABILITY, 1.0, BINS + 1)
    place = np.clip(np.digitize(score, edges) - 1, 0, BINS - 1)
    size = np.bincount(place, minlength=BINS)
    predicted = np.bincount(place, score, BINS)
    happened = np.bincount(place, label.astype(np.float64), BINS)
    return [
        {
            "said": float(f"{predicted[i] / size[i]:.4g}"),
            "happened": float(f"{happened[i] / size[i]:.4g}"),
            "rows": int(size[i]),
        }
        for i in range(BINS)
        if size[i]
    ]


def lead_times(scored: Sequence[Scored], threshold: float) -> list[dict[str, int | None]]:
    """Foreseeable incidents by their lead, in steps of 10 s; `from_s` is null for missed ones."""
    incidents = incident_table(Pool(scored), threshold)
    lead_s = incidents.lead_s[incidents.foreseeable]
    starts = np.arange(0, LONGEST_LEAD_S + 1, LEAD_STEP_S)
    counts, _ = np.histogram(lead_s.dropna(), np.append(starts, np.inf))
    found: list[dict[str, int | None]] = [
        {"from_s": int(start), "incidents": int(count)}
        for start, count in zip(starts, counts, strict=True)
    ]
    return [*found, {"from_s": None, "incidents": int(lead_s.isna().sum())}]
