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
from sklearn.metrics import average_precision_score

from ml.artefact import (
    CARD,
    CASCADE,
    CONFIG,
    FEATURE_TABLE,
    INCIDENT_MODEL,
    LOGISTIC,
    METRICS,
    TREES,
    TYPE_MODEL,
    Calibration,
    write_compact_json,
    write_json,
    write_manifest,
)
from ml.cascade import EDGE_INPUTS
from ml.cascade_events import SpreadRows
from ml.dataset import (
    EVERY_STIRRED,
    LEARNED_COLUMNS,
    Rows,
    Shares,
    explain_one,
    held_out_topology,
    joined,
    parallel,
    sample,
    sample_one,
    training_topology,
)
from ml.episodes import Recording
from ml.evaluation import evaluate
from ml.export import check_options, export, trees
from ml.features import LEARNED
from ml.features.table import markdown
from ml.incident_types import INCIDENT_TYPES
from ml.metrics import best_threshold
from ml.model_card import model_card
from ml.pool import Pool, Scored
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
    episodes, held_out_episodes
        Simulated runs of each to learn from, and of each of the others.
    shares
        Which rows are kept.
    rounds, patience
        Most trees, and how many without progress on validation end the training.
    options
        Of XGBoost.
    candidates
        What is tried instead on validation, each with a part of the rows: options, and
        `class_weight`, by which rows before an incident count more.
    """

    seed: int = 1
    topologies: int = 150
    validation_topologies: int = 12
    test_topologies: int = 8
    episodes: int = 64
    held_out_episodes: int = 32
    shares: Shares = field(default_factory=Shares)
    rounds: int = 1000
    patience: int = 50
    options: dict[str, Any] = field(
        default_factory=lambda: {
            "tree_method": "hist",
            "max_depth": 6,
            "eta": 0.03,
            "subsample": 0.6,
            "colsample_bytree": 0.2,
            "min_child_weight": 200.0,
            "lambda": 5.0,
        }
    )
    candidates: tuple[dict[str, float], ...] = (
        {},
        {"max_depth": 7, "min_child_weight": 100.0},
        {"max_depth": 8, "min_child_weight": 400.0},
        {"class_weight": 3.0},
    )


INCIDENT_OPTIONS = {"objective": "binary:logistic", "eval_metric": "logloss"}
TYPE_OPTIONS = {
    "objective": "multi:softprob",
    "num_class": len(INCIDENT_TYPES),
    "eval_metric": "mlogloss",
}
PARITY_ROWS = 20_000
TRIAL_SHARE, TRIAL_ROUNDS, TRIAL_ETA = 0.25, 100, 0.1
CLASS_WEIGHT = "class_weight"


def train(config: Config, directory: Path, workers: int | None = None) -> dict[str, Any]:
    """Train a model into a directory, which is replaced only when all went well.

    Returns
    -------
    What is written to `metrics.json`.
    """
    for options in (INCIDENT_OPTIONS, TYPE_OPTIONS):
        check_options({**config.options, **options})
    simulated = list(parallel(sample_one, _training_jobs(config), "simulating", workers))
    learning = joined([rows for rows, _ in simulated])
    spread = _fit_spread([rows for _, rows in simulated])
    del simulated
    held_out = _held_out(config, workers)
    validation = held_out[: config.validation_topologies]
    test = held_out[config.validation_topologies :]
    checking = joined([sample(recording, EVERY_STIRRED, config.seed) for recording in validation])

    tried = [_tried(config, changes, learning, checking) for changes in config.candidates]
    changes = config.candidates[int(np.argmax(tried))]
    incident = _fit_incident(config, changes, learning, checking)
    kinds = _fit_types(config, learning, checking)
    raw = incident.inplace_predict(checking.features)
    calibration = _calibrate(raw, checking)

    def score(recording: Recording) -> Scored:
        rows = recording.features[..., LEARNED_COLUMNS]
        flat = incident.inplace_predict(rows.reshape(-1, rows.shape[-1])).astype(np.float64)
        return Scored(recording, calibrated(flat, calibration).reshape(rows.shape[:-1]))

    threshold = best_threshold(Pool([score(recording) for recording in validation]))
    with tempfile.TemporaryDirectory() as temporary:
        built = Path(temporary)
        compared = checking.features[:PARITY_ROWS]
        parity = {
            "incident": export(incident, LEARNED, compared, built / INCIDENT_MODEL),
            "type": export(kinds, LEARNED, compared, built / TYPE_MODEL),
        }
        write_compact_json(built / TREES, trees(incident))
        write_json(built / LOGISTIC, _logistic_regression(learning))
        write_json(built / CASCADE, spread)
        write_json(built / CONFIG, asdict(config))
        (built / FEATURE_TABLE).write_text(markdown(), encoding="utf-8")
        manifest = write_manifest(built, LEARNED, tuple(INCIDENT_TYPES), calibration, threshold)
        metrics = {
            "onnx_parity": parity,
            "learned_rows": len(learning.label),
            "candidates": [
                {"changes": c, "average_precision": t}
                for c, t in zip(config.candidates, tried, strict=True)
            ],
            "trees": incident.num_boosted_rounds(),
            "importance": _importance(incident),
            **evaluate(test, validation, built, seed=config.seed),
        }
        write_json(built / METRICS, metrics)
        (built / CARD).write_text(model_card(manifest, asdict(config), metrics), encoding="utf-8")
        write_manifest(built, LEARNED, tuple(INCIDENT_TYPES), calibration, threshold)
        directory.mkdir(parents=True, exist_ok=True)
        for path in built.iterdir():
            shutil.copy(path, directory / path.name)
    return metrics


def quick() -> Config:
    """Give a config that trains in a minute: for tests, and to try things out."""
    return replace(
        Config(), topologies=6, validation_topologies=2, test_topologies=2, episodes=8, rounds=60,
        held_out_episodes=8, candidates=({},),
    )  # fmt: skip


def _training_jobs(config: Config) -> list[tuple[Any, int, int, Shares]]:
    return [
        (
            training_topology(n, config.seed),
            config.episodes,
            config.seed * 1000 + n,
            config.shares,
        )
        for n in range(config.topologies)
    ]


def _held_out(config: Config, workers: int | None) -> list[Recording]:
    count = config.validation_topologies + config.test_topologies
    jobs = [
        (
            held_out_topology(n, config.seed),
            config.held_out_episodes,
            config.seed * 1000 + 500_000 + n,
        )
        for n in range(count)
    ]
    return list(parallel(explain_one, jobs, "simulating validation and test systems", workers))


def _tried(config: Config, changes: dict[str, float], learning: Rows, checking: Rows) -> float:
    """Average precision on validation of what a part of the rows teaches."""
    rng = np.random.default_rng(config.seed)
    part = learning.only(rng.random(len(learning.label)) < TRIAL_SHARE)
    hasty = replace(config, rounds=TRIAL_ROUNDS, options={**config.options, "eta": TRIAL_ETA})
    booster = _fit_incident(hasty, changes, part, checking)
    shown = checking.only(checking.stirred & ~checking.ongoing)
    score = booster.inplace_predict(shown.features)
    return float(f"{average_precision_score(shown.timely, score):.5g}")


def _fit_incident(
    config: Config, changes: dict[str, float], learning: Rows, checking: Rows
) -> xgboost.Booster:
    """Fit the trees to what an alarm would be in time for; a later one is a false alarm.

    Their number is chosen on the rows where something has moved: the others hold chance alone.
    """
    options = {**config.options, **changes}
    class_weight = options.pop(CLASS_WEIGHT, 1.0)
    shown = checking.only(checking.stirred & ~checking.ongoing)

    def matrix(rows: Rows, ref: xgboost.DMatrix | None = None) -> xgboost.DMatrix:
        weight = rows.weight * np.where(rows.timely, class_weight, 1.0).astype(np.float32)
        target = rows.timely.astype(np.float32)
        return xgboost.QuantileDMatrix(rows.features, target, weight=weight, ref=ref)

    learned = matrix(learning)
    checked = matrix(shown, learned)
    return _boost(replace(config, options=options), INCIDENT_OPTIONS, learned, checked)


def _fit_types(config: Config, learning: Rows, checking: Rows) -> xgboost.Booster:
    known, checked = (rows.only(rows.stirred & (rows.type >= 0)) for rows in (learning, checking))
    return _boost(
        config,
        TYPE_OPTIONS,
        xgboost.DMatrix(known.features, known.type),
        xgboost.DMatrix(checked.features, checked.type),
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
    raw, rows = raw[~rows.ongoing], rows.only(~rows.ongoing)
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
    rows = rows.only(~rows.ongoing)
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


def _fit_spread(parts: Sequence[SpreadRows]) -> dict[str, Any]:
    """Fit the probability that a failing callee brings its caller into an incident."""
    inputs = np.concatenate([part.inputs for part in parts])
    followed = np.concatenate([part.followed for part in parts])
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(inputs, followed)
    return {
        "rows": len(followed),
        "share_followed": float(f"{followed.mean():.4g}"),
        "weights": dict(zip(EDGE_INPUTS, _rounded(model.coef_[0]), strict=True)),
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
