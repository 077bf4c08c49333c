"""Incidents of recordings as a table: what caused each, and whether an alarm foretold it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ml.episodes.counterfactual import Cause
from ml.evaluation.pool import Pool

INTENSITIES = _, _, _, _LAST = ((0.2, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 3.0))


def incident_table(pool: Pool, threshold: float) -> pd.DataFrame:
    """Tabulate the incidents of a pool at an alarm threshold, a row each.

    Columns
    -------
    kind
        Kind of the fault that caused it; "none" of a spontaneous one.
    intensity
        Range of that fault's intensity; missing of a spontaneous one.
    foreseeable
        Whether its cause had acted for at least 10 s.
    lead_s
        Lead of its alarm in seconds; NaN if it was missed.
    hit
        Whether it was foretold.
    """
    causes = [recording.causes[number] for recording, number in pool.incidents]
    lead_s = pool.count(threshold).lead_s
    return pd.DataFrame(
        {
            "kind": ["none" if cause is None else str(cause.kind) for cause in causes],
            "intensity": [_intensity(cause) for cause in causes],
            "foreseeable": np.array([r.foreseeable(n) for r, n in pool.incidents], dtype=bool),
            "lead_s": lead_s,
            "hit": np.isfinite(lead_s),
        }
    )


def figures_by(column: str, incidents: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Figures of the incidents of each value of a column; those without a value count nowhere."""
    return {name: _figures(group) for name, group in incidents.groupby(column)}


def _figures(incidents: pd.DataFrame) -> dict[str, Any]:
    expected = incidents[incidents.foreseeable]
    return {
        "incidents": len(incidents),
        "event_recall": _rounded(incidents.hit.mean()),
        "foreseeable_incidents": len(expected),
        "foreseeable_recall": _rounded(expected.hit.mean()),
        "median_lead_s": _rounded(incidents.lead_s.median()),
    }


def _intensity(cause: Cause | None) -> str | None:
    if cause is None:
        return None
    low, high = next(pair for pair in INTENSITIES if cause.intensity < pair[1] or pair is _LAST)
    return f"{low:g}-{high:g}"


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.4g}")
