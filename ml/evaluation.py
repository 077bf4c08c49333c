"""How good a model is, beside simple baselines, on systems it has never seen.

The definitions are those of `docs/evaluation.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.alarms import alarms, match
from ml.baselines import baselines
from ml.episodes import Recording
from ml.features import NAMES
from ml.incident_types import INCIDENT_TYPES
from ml.metrics import Scored, best_threshold, events, recall_at, rows
from ml.predictor import Predictor
from ml.scenarios import WARM_UP_S
from simulator.frame import FRAME_INTERVAL_S
from simulator.graph import FloatArray

PROTOCOL = 1
MIN_LEAD_S = 4
FALSE_ALARM_RATES = (0.1, 0.5)
GRADUAL_S = 10.0
"""An incident is gradual if its latest fault had acted for so long before the onset."""


def evaluate(
    test: Sequence[Recording], validation: Sequence[Recording], directory: Path, seed: int
) -> dict[str, Any]:
    """Evaluate a model directory and the baselines.

    Parameters
    ----------
    test
        Recordings of systems that the model has never seen.
    validation
        Recordings that the thresholds of the baselines are chosen on, as the model's was.
    directory
        The model.
    seed
        Noted in the report.
    """
    predictor = Predictor(directory)
    thresholds = {"model": predictor.manifest.threshold}
    scores = {"model": [Scored(r, model_score(predictor, r)) for r in test]}
    for name, baseline in baselines(directory).items():
        thresholds[name] = best_threshold([Scored(r, baseline(r.features)) for r in validation])
        scores[name] = [Scored(r, baseline(r.features)) for r in test]
    figures = {name: _figures(scores[name], thresholds[name]) for name in scores}
    return {
        "protocol": PROTOCOL,
        "horizon_s": predictor.manifest.horizon_s,
        "min_lead_s": MIN_LEAD_S,
        "seed": seed,
        "episodes": sum(len(recording.scenarios) for recording in test),
        "thresholds": {name: float(f"{value:.6g}") for name, value in thresholds.items()},
        "per_topology": [_topology(i, scores, thresholds) for i in range(len(test))],
        "overall": {"model": figures.pop("model"), "baselines": figures},
        "by_fault": _by_fault(scores["model"], thresholds["model"]),
        "incident_type": _types(predictor, test),
    }


def model_score(predictor: Predictor, recording: Recording) -> FloatArray:
    """Calibrated probability of each row of a recording, (T, B, S)."""
    shape = recording.features.shape
    flat = recording.features.reshape(-1, shape[-1])
    return predictor.score(flat).probability.reshape(shape[:-1])


def _figures(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    return {
        **events(scored, threshold),
        **{f"recall_at_{rate:g}": recall_at(scored, rate) for rate in FALSE_ALARM_RATES},
        **rows(scored, threshold),
    }


def _topology(
    i: int, scores: dict[str, list[Scored]], thresholds: dict[str, float]
) -> dict[str, Any]:
    recording = scores["model"][i].recording
    figures = {
        name: {**events([scored[i]], thresholds[name]), **rows([scored[i]], thresholds[name])}
        for name, scored in scores.items()
    }
    return {
        "topology": recording.name,
        "services": recording.graph.services,
        "rows": figures["model"]["rows"],
        "prevalence": figures["model"]["prevalence"],
        "model": figures.pop("model"),
        "baselines": figures,
    }


def _by_fault(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    """Recall by the kind of the latest fault that began before the incident, in its episode."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    leads: dict[str, list[float]] = defaultdict(list)
    for one in scored:
        recording = one.recording
        outcome = match(alarms(one.score, recording.incidents, threshold), recording.incidents)
        for incident in recording.incidents:
            onset_s = WARM_UP_S + FRAME_INTERVAL_S * incident.onset
            faults = recording.scenarios[incident.copy].faults
            begun = [f for f in faults if f.start_s < onset_s + FRAME_INTERVAL_S]
            latest = max(begun, key=lambda f: f.start_s) if begun else None
            count = counts[latest.kind.value if latest else "none"]
            gradual = latest is not None and latest.start_s <= onset_s - GRADUAL_S
            hit = incident in outcome.hits
            for i, counted in enumerate((True, hit, gradual, gradual and hit)):
                count[i] += counted
            if latest and hit:
                leads[latest.kind.value].append(outcome.hits[incident])
    return {
        kind: {
            "incidents": total,
            "event_recall": _share(hits, total),
            "gradual_incidents": gradual,
            "gradual_recall": _share(gradual_hits, gradual),
            "median_lead_s": float(np.median(leads[kind])) if leads[kind] else None,
        }
        for kind, (total, hits, gradual, gradual_hits) in sorted(counts.items())
    }


def _types(predictor: Predictor, recordings: Sequence[Recording]) -> dict[str, Any]:
    """How often the most likely type is right, 4 s before each onset."""
    count = len(INCIDENT_TYPES)
    confusion = np.zeros((count, count), dtype=int)
    for recording in recordings:
        for incident, kind in zip(recording.incidents, recording.types, strict=True):
            row = recording.features[max(incident.onset - 3, 0), incident.copy, incident.service]
            guess = int(predictor.score(row.reshape(1, len(NAMES))).types[0].argmax())
            confusion[kind, guess] += 1
    total = confusion.sum()
    return {
        "accuracy": float(f"{np.trace(confusion) / total:.4g}") if total else None,
        "labels": [kind.value for kind in INCIDENT_TYPES],
        "confusion": confusion.tolist(),
    }


def _share(part: int, whole: int) -> float | None:
    return float(f"{part / whole:.4g}") if whole else None
