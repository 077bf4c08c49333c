"""Completes a model directory: files of the trees, figures of merit, and the model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from ml.episodes.recording import Recording
from ml.evaluation.curves import curves
from ml.evaluation.evaluate import MODEL, evaluate, score_predictors
from ml.features import LEARNED
from ml.features.table import markdown
from ml.serving.artefact import (
    CARD,
    FEATURE_TABLE,
    INCIDENT_MODEL,
    METRICS,
    TREES,
    Manifest,
    write_compact_json,
    write_json,
    write_manifest,
)
from ml.training.export import export, trees
from ml.training.model_card import model_card

PARITY_ROWS = 20_000


def write_incident(
    directory: Path, incident: xgboost.Booster, probes: NDArray[np.float32]
) -> float:
    """Write the trees that foresee incidents; return how far ONNX differs on some of the probes.

    Raises
    ------
    ExportError
        If that is too far.
    """
    parity = export(incident, LEARNED, probes[:PARITY_ROWS], directory / INCIDENT_MODEL)
    write_compact_json(directory / TREES, trees(incident))
    (directory / FEATURE_TABLE).write_text(markdown(), encoding="utf-8")
    return parity


def describe(
    directory: Path,
    manifest: Manifest,
    incident: xgboost.Booster,
    config: dict[str, Any],
    facts: dict[str, Any],
    validation: Sequence[Recording],
    test: Sequence[Recording],
    more: str = "",
) -> tuple[Manifest, dict[str, Any]]:
    """Evaluate a model whose other files are there; write metrics, card, and the manifest again.

    Parameters
    ----------
    facts
        Further metrics, written as they are.
    validation, test
        Recordings to choose the thresholds of the baselines on, and recordings to score on.
    more
        Text to append to the card.
    """
    predictors = score_predictors(test, validation, directory)
    metrics = {
        **facts,
        "trees": incident.num_boosted_rounds(),
        "importance": importance(incident),
        **evaluate(predictors, directory, config["seed"]),
        "curves": curves(predictors.scores[MODEL], manifest.threshold),
    }
    write_json(directory / METRICS, metrics)
    card = model_card(manifest, config, metrics) + more
    (directory / CARD).write_text(card, encoding="utf-8")
    whole = write_manifest(
        directory, manifest.features, manifest.types, manifest.calibration, manifest.threshold
    )
    return whole, metrics


def importance(booster: xgboost.Booster) -> dict[str, float]:
    """Share of the gain of each feature, highest first."""
    gain = {
        LEARNED[int(key[1:])]: float(np.sum(value))
        for key, value in booster.get_score(importance_type="total_gain").items()
    }
    total = sum(gain.values()) or 1.0
    named = {name: value / total for name, value in gain.items()}
    ranked = sorted(named.items(), key=lambda item: -item[1])
    return {name: float(f"{share:.4g}") for name, share in ranked}
