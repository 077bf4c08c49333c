"""Fits what a model directory holds: trees, a baseline, the spread of failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from ml.definitions.incident_types import INCIDENT_TYPES
from ml.evaluation.cascade_events import SpreadRows
from ml.features import LEARNED
from ml.serving.cascade import EDGE_INPUTS
from ml.training.compute import Compute, Matrix
from ml.training.dataset import Rows
from ml.training.export import without_base
from telemetry.graph import FloatArray

INCIDENT_OPTIONS = {"objective": "binary:logistic", "eval_metric": "logloss"}
TYPE_OPTIONS = {
    "objective": "multi:softprob",
    "num_class": len(INCIDENT_TYPES),
    "eval_metric": "mlogloss",
    "eta": 0.2,
}
TRIAL_SHARE, TRIAL_ROUNDS, TRIAL_ETA = 0.2, 60, 0.15
CLASS_WEIGHT = "class_weight"
BASELINE_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Fitting:
    """How trees are fitted: where, with which options of XGBoost, and at most how many."""

    compute: Compute
    options: dict[str, Any]
    rounds: int
    patience: int
    seed: int

    def boost(self, options: dict[str, Any], learning: Matrix, checking: Matrix) -> xgboost.Booster:
        """Fit trees with these options on top."""
        every = {**self.options, **options, "seed": self.seed}
        fitted = self.compute.boost(every, self.rounds, self.patience, learning, checking)
        return without_base(fitted)


def trial_score(
    fitting: Fitting, changes: dict[str, float], learning: Rows, checking: Rows
) -> float:
    """Average precision on validation data of a small model trained on a part of the rows."""
    rng = np.random.default_rng(fitting.seed)
    part = learning.only(rng.random(len(learning.label)) < TRIAL_SHARE)
    trial = replace(fitting, rounds=TRIAL_ROUNDS, options={**fitting.options, "eta": TRIAL_ETA})
    booster = fit_incident(trial, changes, part, checking)
    scored = checking.only(~checking.ongoing)
    score = booster.inplace_predict(scored.features)
    return float(f"{average_precision_score(scored.timely, score):.5g}")


def fit_incident(
    fitting: Fitting, changes: dict[str, float], learning: Rows, checking: Rows
) -> xgboost.Booster:
    """Fit the trees to what an alarm would be in time for; a later one is a false alarm."""
    class_weight = changes.get(CLASS_WEIGHT, 1.0)
    options = {k: v for k, v in changes.items() if k != CLASS_WEIGHT}

    def matrix(rows: Rows) -> Matrix:
        weight = rows.weight * np.where(rows.timely, class_weight, 1.0).astype(np.float32)
        return Matrix(rows.features, rows.timely.astype(np.float32), weight)

    scored = checking.only(~checking.ongoing)
    return fitting.boost({**INCIDENT_OPTIONS, **options}, matrix(learning), matrix(scored))


def fit_types(fitting: Fitting, learning: Rows, checking: Rows) -> xgboost.Booster:
    """Fit the trees that name the type of an incident, on rows for which it is known."""

    def matrix(rows: Rows) -> Matrix:
        known = rows.only(rows.type >= 0)
        return Matrix(
            known.features, known.type.astype(np.float32), np.ones(len(known.type), np.float32)
        )

    return fitting.boost(TYPE_OPTIONS, matrix(learning), matrix(checking))


def logistic_regression(rows: Rows) -> dict[str, Any]:
    """Fit the baseline: standardised features, missing ones at their mean.

    On the rows that are scored alone, those inside incidents only make it worse; and on at most
    some 200,000 of them, more change nothing.
    """
    rows = rows.only(~rows.ongoing)
    rows = rows.only(np.arange(len(rows.label)) % -(-len(rows.label) // BASELINE_ROWS) == 0)
    features = rows.features.astype(np.float64)
    centre = np.nanmean(features, axis=0)
    scale = np.maximum(np.nanstd(features, axis=0), 1e-6)
    inputs = np.clip(np.nan_to_num((features - centre) / scale), -10.0, 10.0)
    model = LogisticRegression(C=0.1, max_iter=300)
    model.fit(inputs, rows.timely, sample_weight=rows.weight)
    weights: FloatArray = model.coef_[0]
    return {
        "features": list(LEARNED),
        "centre": _rounded(centre),
        "scale": _rounded(scale),
        "weights": _rounded(weights),
        "intercept": float(f"{model.intercept_[0]:.6g}"),
    }


class TooFewIncidentsError(ValueError):
    """The simulated systems had too few incidents to learn from."""


def fit_spread(parts: Sequence[SpreadRows]) -> dict[str, Any]:
    """Fit the probability that a failing callee brings its caller into an incident.

    Raises
    ------
    TooFewIncidentsError
        If none did, or all of them.
    """
    inputs = np.concatenate([part.inputs for part in parts])
    followed = np.concatenate([part.followed for part in parts])
    if followed.all() or not followed.any():
        raise TooFewIncidentsError(
            f"of {len(followed)} failing callees {np.sum(followed)} broke their callers: too few "
            "incidents to learn from; take more systems or episodes"
        )
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(inputs, followed)
    return {
        "rows": len(followed),
        "share_followed": float(f"{followed.mean():.4g}"),
        "weights": dict(zip(EDGE_INPUTS, _rounded(model.coef_[0]), strict=True)),
        "intercept": float(f"{model.intercept_[0]:.6g}"),
    }


def _rounded(values: Sequence[float] | FloatArray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
