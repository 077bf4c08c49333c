"""From raw probabilities of trees to calibrated ones and to a threshold, on validation systems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xgboost
from sklearn.linear_model import LogisticRegression

from ml.episodes.recording import Recording
from ml.evaluation.metrics import best_threshold
from ml.evaluation.pool import Pool, Scored
from ml.features import active_rows
from ml.serving.artefact import Calibration
from ml.serving.predictor import MAX_PROBABILITY, MIN_PROBABILITY, where_active
from ml.training.dataset import LEARNED_COLUMNS, Rows


def calibrate(
    incident: xgboost.Booster, rows: Rows, validation: Sequence[Recording]
) -> Calibration:
    """Fit a beta calibration to rows, and the base rate of the rows that are not active.

    Exponents below 0 would reverse the order, and are set to 0.
    """
    rows = rows.only(~rows.ongoing)
    p = np.clip(
        incident.inplace_predict(rows.features).astype(np.float64), MIN_PROBABILITY, MAX_PROBABILITY
    )
    parts = {"a": np.log(p), "b": -np.log1p(-p)}
    names = ["a", "b"]
    while True:
        inputs = np.stack([parts[name] for name in names], axis=1)
        model = LogisticRegression(C=1e6, max_iter=1000)
        model.fit(inputs, rows.label, sample_weight=rows.weight)
        weights = dict(zip(names, model.coef_[0], strict=True))
        wrong = [name for name in names if weights[name] < 0]
        if not wrong:
            break
        names = [name for name in names if name not in wrong]
    quiet = np.concatenate([r.label[r.scored & ~active_rows(r.features)] for r in validation])
    return Calibration(
        a=float(weights.get("a", 0.0)),
        b=float(weights.get("b", 0.0)),
        c=float(model.intercept_[0]),
        quiet=float(f"{quiet.mean():.4g}"),
    )


def threshold(
    incident: xgboost.Booster, calibration: Calibration, validation: Sequence[Recording]
) -> float:
    """Choose the threshold of alarms: see `ml.evaluation.metrics.best_threshold`."""

    def score(recording: Recording) -> Scored:
        return Scored(
            recording,
            where_active(
                recording.features,
                lambda rows: incident.inplace_predict(rows[:, LEARNED_COLUMNS]),
                calibration,
            ),
        )

    return best_threshold(Pool([score(recording) for recording in validation]))
