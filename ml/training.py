"""Training: simulate, learn, calibrate, choose the threshold, export, evaluate, describe."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.artefact import (
    CARD,
    CONFIG,
    INCIDENT_MODEL,
    LOGISTIC,
    METRICS,
    TYPE_MODEL,
    Calibration,
    write_json,
    write_manifest,
)
from ml.dataset import (
    LEARNED_COLUMNS,
    Rows,
    explain_one,
    held_out_topology,
    joined,
    parallel,
    record_one,
    sample,
    sample_one,
    training_topology,
)
from ml.episodes import Recording
from ml.evaluation import evaluate
from ml.export import check_options, export
from ml.features import LEARNED
from ml.incident_types import INCIDENT_TYPES
from ml.metrics import Scored, best_threshold
from ml.model_card import model_card
from ml.predictor import LEAST, MOST, calibrated
from simulator.graph import FloatArray


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a model follows from; saved beside it.

    Attributes
    ----------
    seed
        The same seed and config give the same model.
    topologies, validation_topologies, test_topologies
        Systems to learn from, to choose and calibrate on, and to report on; all different.
    episodes
        Simulated runs of each.
    negative_share
        Share of the rows without an incident ahead that is kept.
    rounds, patience
        Most trees, and how many without progress on validation end the training.
    options
        Of XGBoost.
    """

    seed: int = 1
    topologies: int = 100
    validation_topologies: int = 16
    test_topologies: int = 16
    episodes: int = 32
    negative_share: float = 0.08
    rounds: int = 800
    patience: int = 60
    options: dict[str, Any] = field(
        default_factory=lambda: {
            "tree_method": "hist",
            "max_depth": 5,
            "eta": 0.05,
            "subsample": 0.8,
            "colsample_bytree": 0.3,
            "min_child_weight": 50.0,
            "lambda": 5.0,
        }
    )


INCIDENT_OPTIONS = {"objective": "binary:logistic", "eval_metric": "logloss"}
TYPE_OPTIONS = {
    "objective": "multi:softprob",
    "num_class": len(INCIDENT_TYPES),
    "eval_metric": "mlogloss",
}
PARITY_ROWS = 20_000
CHECKED_SHARE = 0.25
"""Share of the validation rows without an incident ahead that trees are checked on."""


def train(config: Config, directory: Path, workers: int | None = None) -> dict[str, Any]:
    """Train a model into a directory, which is replaced only when all went well.

    Returns
    -------
    What is written to `metrics.json`.
    """
    for options in (INCIDENT_OPTIONS, TYPE_OPTIONS):
        check_options({**config.options, **options})
    learning = joined(list(parallel(sample_one, _training_jobs(config), "simulating", workers)))
    held_out = _held_out(config, workers)
    validation = held_out[: config.validation_topologies]
    test = held_out[config.validation_topologies :]
    checking = joined(
        [
            sample(recording, CHECKED_SHARE, config.seed, ongoing_share=0.0)
            for recording in validation
        ]
    )

    incident = _fit(config, INCIDENT_OPTIONS, learning, checking)
    kinds = _fit_types(config, learning, checking)
    raw = incident.inplace_predict(checking.features)
    calibration = _calibrate(raw, checking)

    def score(recording: Recording) -> Scored:
        rows = recording.features[..., LEARNED_COLUMNS]
        flat = incident.inplace_predict(rows.reshape(-1, rows.shape[-1])).astype(np.float64)
        return Scored(recording, calibrated(flat, calibration).reshape(rows.shape[:-1]))

    threshold = best_threshold([score(recording) for recording in validation])
    with tempfile.TemporaryDirectory() as temporary:
        built = Path(temporary)
        compared = checking.features[:PARITY_ROWS]
        parity = {
            "incident": export(incident, LEARNED, compared, built / INCIDENT_MODEL),
            "type": export(kinds, LEARNED, compared, built / TYPE_MODEL),
        }
        write_json(built / LOGISTIC, _logistic_regression(learning))
        manifest = write_manifest(built, LEARNED, tuple(INCIDENT_TYPES), calibration, threshold)
        write_json(built / CONFIG, asdict(config))
        metrics = {
            "onnx_parity": parity,
            "learned_rows": len(learning.label),
            "trees": incident.num_boosted_rounds(),
            "importance": _importance(incident),
            **evaluate(test, validation, built, seed=config.seed),
        }
        write_json(built / METRICS, metrics)
        (built / CARD).write_text(model_card(manifest, asdict(config), metrics), encoding="utf-8")
        directory.mkdir(parents=True, exist_ok=True)
        for path in built.iterdir():
            shutil.copy(path, directory / path.name)
    return metrics


def quick() -> Config:
    """Give a config that trains in a minute: for tests, and to try things out."""
    return replace(
        Config(), topologies=6, validation_topologies=2, test_topologies=2, episodes=8, rounds=40,
        negative_share=0.1,
    )  # fmt: skip


def _training_jobs(config: Config) -> list[tuple[Any, int, int, float]]:
    return [
        (
            training_topology(n, config.seed),
            config.episodes,
            config.seed * 1000 + n,
            config.negative_share,
        )
        for n in range(config.topologies)
    ]


def _held_out(config: Config, workers: int | None) -> list[Recording]:
    count = config.validation_topologies + config.test_topologies
    jobs = [
        (held_out_topology(n, config.seed), config.episodes, config.seed * 1000 + 500_000 + n)
        for n in range(count)
    ]
    checked = jobs[: config.validation_topologies]
    reported = jobs[config.validation_topologies :]
    return [
        *parallel(record_one, checked, "simulating validation systems", workers),
        *parallel(explain_one, reported, "simulating test systems", workers),
    ]


def _fit(
    config: Config, options: dict[str, Any], learning: Rows, checking: Rows
) -> xgboost.Booster:
    target, check = learning.label.astype(float), checking.label.astype(float)
    return _boost(
        config,
        options,
        xgboost.DMatrix(learning.features, target, weight=learning.weight),
        xgboost.DMatrix(checking.features, check, weight=checking.weight),
    )


def _fit_types(config: Config, learning: Rows, checking: Rows) -> xgboost.Booster:
    known, checked = learning.type >= 0, checking.type >= 0
    return _boost(
        config,
        TYPE_OPTIONS,
        xgboost.DMatrix(learning.features[known], learning.type[known]),
        xgboost.DMatrix(checking.features[checked], checking.type[checked]),
    )


def _boost(
    config: Config, options: dict[str, Any], learning: xgboost.DMatrix, checking: xgboost.DMatrix
) -> xgboost.Booster:
    booster = xgboost.train(
        {**config.options, **options, "seed": config.seed},
        learning,
        num_boost_round=config.rounds,
        evals=[(checking, "validation")],
        early_stopping_rounds=config.patience,
        verbose_eval=False,
    )
    return booster[: booster.best_iteration + 1]


def _calibrate(raw: NDArray[np.float32], rows: Rows) -> Calibration:
    """Fit a beta calibration; exponents below 0 would turn the order round, and are set to 0."""
    p = np.clip(raw.astype(np.float64), LEAST, MOST)
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
    return Calibration(
        a=float(weights.get("a", 0.0)), b=float(weights.get("b", 0.0)), c=float(model.intercept_[0])
    )


def _logistic_regression(rows: Rows) -> dict[str, Any]:
    """Fit the baseline: standardised features, missing ones at their mean.

    On the rows that are scored alone: those inside incidents only make it worse.
    """
    fair = ~rows.ongoing
    features = rows.features[fair].astype(np.float64)
    centre = np.nanmean(features, axis=0)
    scale = np.maximum(np.nanstd(features, axis=0), 1e-6)
    inputs = np.clip(np.nan_to_num((features - centre) / scale), -10.0, 10.0)
    model = LogisticRegression(C=0.1, max_iter=300)
    model.fit(inputs, rows.label[fair], sample_weight=rows.weight[fair])
    weights: FloatArray = model.coef_[0]
    return {
        "features": list(LEARNED),
        "centre": _rounded(centre),
        "scale": _rounded(scale),
        "weights": _rounded(weights),
        "intercept": float(f"{model.intercept_[0]:.6g}"),
    }


def _importance(booster: xgboost.Booster) -> dict[str, float]:
    """Share of the gain of each feature, highest first."""
    gain = {
        LEARNED[int(key[1:])]: float(np.sum(value))
        for key, value in booster.get_score(importance_type="total_gain").items()
    }
    total = sum(gain.values()) or 1.0
    named = {name: value / total for name, value in gain.items()}
    ranked = sorted(named.items(), key=lambda item: -item[1])
    return {name: float(f"{share:.4g}") for name, share in ranked}


def _rounded(values: Sequence[float] | FloatArray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
