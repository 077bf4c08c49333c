"""Evaluation of a model against simple baselines, on systems that it has never seen.

The definitions are those of `docs/evaluation.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ml.definitions.incident_types import INCIDENT_TYPES
from ml.definitions.labelled import UNKNOWN_TYPE
from ml.episodes.recording import Recording
from ml.evaluation.baselines import baselines
from ml.evaluation.cascade_events import cascade_figures
from ml.evaluation.incident_table import figures_by, incident_table
from ml.evaluation.metrics import (
    Curve,
    best_threshold,
    calibration_error,
    curve,
    events,
    recall_gain,
    rows,
)
from ml.evaluation.pool import Pool, Scored
from ml.evaluation.system_view import of_system
from ml.features import NAMES
from ml.serving.predictor import Predictor
from telemetry.graph import FloatArray

PROTOCOL = 1
MODEL, ORACLE, OVERALL = "model", "oracle", "overall"
MIN_LEAD_S = 4
FALSE_ALARM_RATES = (0.1, 0.5)
TARGET_PRECISION = 0.94


class PredictorScores(NamedTuple):
    """Scores of each predictor on the same recordings, and its alarm threshold.

    `model` is among them; thresholds were chosen on other systems, except the oracle's.
    """

    scores: dict[str, list[Scored]]
    thresholds: dict[str, float]


def score_predictors(
    test: Sequence[Recording],
    validation: Sequence[Recording],
    directory: Path,
    ceiling: Sequence[FloatArray] | None = None,
) -> PredictorScores:
    """Let a model directory and the baselines score recordings.

    Parameters
    ----------
    test
        Recordings of systems that the model has never seen, explained.
    validation
        Recordings to choose the thresholds of the baselines on, as the model's was.
    directory
        Directory of the model.
    ceiling
        Scores of the oracle on each test recording, (T, B, S); None: it was not evaluated. Its
        threshold is chosen on the same recordings.
    """
    predictor = Predictor(directory)
    thresholds = {MODEL: predictor.manifest.threshold}
    scores = {MODEL: [Scored(r, model_score(predictor, r)) for r in test]}
    for name, baseline in baselines(directory).items():
        thresholds[name] = best_threshold(
            Pool([Scored(r, baseline(r.features)) for r in validation])
        )
        scores[name] = [Scored(r, baseline(r.features)) for r in test]
    if ceiling is not None:
        known = [Scored(r, score) for r, score in zip(test, ceiling, strict=True)]
        thresholds[ORACLE], scores[ORACLE] = best_threshold(Pool(known)), known
    return PredictorScores(scores, thresholds)


def evaluate(predictors: PredictorScores, directory: Path, seed: int) -> dict[str, Any]:
    """Report the quality of a model (evaluation.md, section 4); `seed` is noted in the report."""
    predictor = Predictor(directory)
    scores, thresholds = predictors
    model, threshold = scores[MODEL], thresholds[MODEL]
    test = [one.recording for one in model]
    incidents = incident_table(Pool(model), threshold)
    return {
        "protocol": PROTOCOL,
        "horizon_s": predictor.manifest.horizon_s,
        "min_lead_s": MIN_LEAD_S,
        "seed": seed,
        "episodes": sum(recording.features.shape[1] for recording in test),
        "model": predictor.manifest.version,
        "thresholds": {name: float(f"{value:.6g}") for name, value in thresholds.items()},
        "per_topology": [_topology(i, scores, thresholds) for i in range(len(test))],
        **_all_figures(scores, thresholds, OVERALL),
        "by_fault": figures_by("kind", incidents),
        "by_intensity": figures_by("intensity", incidents),
        "system": _figures(Pool([of_system(one) for one in model]), threshold),
        "cascade": cascade_figures(test, predictor.spread),
        "incident_type": _types(predictor, test),
    }


def model_score(predictor: Predictor, recording: Recording) -> FloatArray:
    """Calibrated probability of each row of a recording, (T, B, S)."""
    shape = recording.features.shape
    flat = recording.features.reshape(-1, shape[-1])
    return predictor.probability(flat).reshape(shape[:-1])


def _figures(pool: Pool, threshold: float, known: Curve | None = None) -> dict[str, Any]:
    known = known or curve(pool)
    return {
        **events(pool, threshold, with_intervals=True),
        **{f"recall_at_{rate:g}": _rounded(known.recall_at(rate)[0]) for rate in FALSE_ALARM_RATES},
        f"foreseeable_recall_at_precision_{TARGET_PRECISION:g}": (
            known.foreseeable_recall_at_precision(TARGET_PRECISION)
        ),
        **rows(pool.scored, threshold),
    }


def _all_figures(
    scores: dict[str, list[Scored]], thresholds: dict[str, float], key: str | None = None
) -> dict[str, Any]:
    """Figures of all predictors, under a key if there is one, and how far the model is ahead.

    That is the difference of its recall at 0.5 false alarms per episode from each other's.
    """
    pools = {name: Pool(scored) for name, scored in scores.items()}
    curves = {name: curve(pool) for name, pool in pools.items()}
    figures = _by_predictor({n: _figures(pools[n], thresholds[n], curves[n]) for n in scores})
    others = {name: known for name, known in curves.items() if name != MODEL}
    return {
        **({key: figures} if key else figures),
        f"ahead_in_recall_at_{FALSE_ALARM_RATES[-1]:g}": {
            name: recall_gain(curves[MODEL], known, FALSE_ALARM_RATES[-1])
            for name, known in others.items()
        },
    }


def _topology(
    i: int, scores: dict[str, list[Scored]], thresholds: dict[str, float]
) -> dict[str, Any]:
    recording = scores[MODEL][i].recording
    figures = _all_figures({name: [scored[i]] for name, scored in scores.items()}, thresholds)
    return {
        "topology": recording.name,
        "services": recording.graph.services,
        "rows": figures[MODEL]["rows"],
        "prevalence": figures[MODEL]["prevalence"],
        **figures,
    }


def _by_predictor(figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Group figures: those of the model, of the oracle (None if not asked), of the baselines."""
    named = dict(figures)
    return {"model": named.pop(MODEL), "oracle": named.pop(ORACLE, None), "baselines": named}


def _types(predictor: Predictor, recordings: Sequence[Recording]) -> dict[str, Any]:
    """How often the most likely type is right, 4 s before each onset, and how sure it is."""
    count = len(INCIDENT_TYPES)
    confidence, right = [], []
    confusion = np.zeros((count, count), dtype=int)
    for recording in recordings:
        for incident, kind in zip(recording.incidents, recording.types, strict=True):
            if kind == UNKNOWN_TYPE:
                continue
            row = recording.features[max(incident.onset - 3, 0), incident.copy, incident.service]
            types = predictor.types(row.reshape(1, len(NAMES)))[0]
            guess = int(types.argmax())
            confusion[kind, guess] += 1
            confidence.append(float(types[guess]))
            right.append(guess == kind)
    total = confusion.sum()
    return {
        "accuracy": float(f"{np.trace(confusion) / total:.4g}") if total else None,
        "mean_confidence": _rounded(np.mean(confidence)) if total else None,
        "confidence_ece": _rounded(calibration_error(np.array(right), np.array(confidence)))
        if total
        else None,
        "labels": [kind.value for kind in INCIDENT_TYPES],
        "confusion": confusion.tolist(),
    }


def _rounded(value: Any) -> float:
    return float(f"{value:.4g}")
