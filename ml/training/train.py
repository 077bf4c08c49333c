"""Training: simulate, learn, calibrate, choose the threshold, export, evaluate, describe."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ml.definitions.incident_types import INCIDENT_TYPES
from ml.episodes.systems import held_out_jobs, record_with_causes
from ml.features import LEARNED
from ml.serving.artefact import (
    CASCADE,
    CONFIG,
    LOGISTIC,
    TYPE_MODEL,
    write_json,
    write_manifest,
)
from ml.training.calibration import calibrate, threshold
from ml.training.compute import Compute
from ml.training.dataset import (
    BATCH_SYSTEMS,
    concatenated,
    sample,
    sample_batch,
    training_jobs,
)
from ml.training.description import PARITY_ROWS, describe, write_incident
from ml.training.export import check_options, export
from ml.training.fitting import (
    INCIDENT_OPTIONS,
    TYPE_OPTIONS,
    Fitting,
    fit_incident,
    fit_spread,
    fit_types,
    logistic_regression,
    trial_score,
)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that determines a model; saved with it.

    Attributes
    ----------
    seed
        Seed of the training; the same seed and config give the same model.
    topologies, validation_topologies, test_topologies
        Systems to learn from, to choose and calibrate on, and to report on; all different.
    episodes, held_out_episodes
        Simulated runs of each to learn from, and of each of the others.
    share
        Share of the active rows without an incident ahead that is kept.
    rounds, patience
        Maximum number of trees, and the number without progress on validation that ends it.
    options
        Options of XGBoost.
    candidates
        Alternative options to try on validation, each with a part of the rows; `class_weight`
        gives rows before an incident more weight.
    """

    seed: int = 1
    topologies: int = 600
    validation_topologies: int = 24
    test_topologies: int = 6
    episodes: int = 24
    held_out_episodes: int = 24
    share: float = 0.25
    rounds: int = 320
    patience: int = 30
    options: dict[str, Any] = field(
        default_factory=lambda: {
            "tree_method": "hist",
            "max_depth": 6,
            "eta": 0.1,
            "subsample": 0.6,
            "colsample_bytree": 0.3,
            "min_child_weight": 100.0,
            "lambda": 5.0,
        }
    )
    candidates: tuple[dict[str, float], ...] = (
        {},
        {"max_depth": 8, "min_child_weight": 200.0},
        {"class_weight": 3.0},
    )


def train(config: Config, directory: Path, compute: Compute) -> dict[str, Any]:
    """Train a model into a directory, which is replaced only when all went well.

    Returns
    -------
    The content of `metrics.json`.
    """
    for options in (INCIDENT_OPTIONS, TYPE_OPTIONS):
        check_options({**config.options, **options})
    jobs = training_jobs(config.topologies, config.episodes, config.seed, config.share)
    simulated = list(compute.each(sample_batch, jobs, f"simulating {BATCH_SYSTEMS} systems each"))
    learning = concatenated([rows for rows, _ in simulated])
    spread = fit_spread([rows for _, rows in simulated])
    del simulated
    others = config.validation_topologies + config.test_topologies
    held_out_of = held_out_jobs(others, config.held_out_episodes, config.seed)
    label = "simulating validation and test systems"
    held_out = list(compute.each(record_with_causes, held_out_of, label))
    validation = held_out[: config.validation_topologies]
    test = held_out[config.validation_topologies :]
    checking = concatenated([sample(recording, 1.0, config.seed) for recording in validation])

    fitting = Fitting(compute, config.options, config.rounds, config.patience, config.seed)
    _say(f"trying {len(config.candidates)} sets of options on {len(learning.label):,} rows")
    tried = [trial_score(fitting, changes, learning, checking) for changes in config.candidates]
    changes = config.candidates[int(np.argmax(tried))]
    _say(f"fitting trees, changed options: {changes or 'none'}")
    incident = fit_incident(fitting, changes, learning, checking)
    _say(f"{incident.num_boosted_rounds()} trees; fitting those that name the type")
    kinds = fit_types(fitting, learning, checking)
    calibration = calibrate(incident, checking, validation)
    _say("choosing the threshold")
    chosen = threshold(incident, calibration, validation)
    with tempfile.TemporaryDirectory() as temporary:
        built = Path(temporary)
        parity = {
            "incident": write_incident(built, incident, checking.features),
            "type": export(kinds, LEARNED, checking.features[:PARITY_ROWS], built / TYPE_MODEL),
        }
        write_json(built / LOGISTIC, logistic_regression(learning))
        write_json(built / CASCADE, spread)
        write_json(built / CONFIG, asdict(config))
        manifest = write_manifest(built, LEARNED, tuple(INCIDENT_TYPES), calibration, chosen)
        _say("evaluating on systems that were not learned from")
        facts = {
            "onnx_parity": parity,
            "learned_rows": len(learning.label),
            "candidates": [
                {"changes": c, "average_precision": t}
                for c, t in zip(config.candidates, tried, strict=True)
            ],
        }
        _, metrics = describe(built, manifest, incident, asdict(config), facts, validation, test)
        directory.mkdir(parents=True, exist_ok=True)
        for path in built.iterdir():
            shutil.copy(path, directory / path.name)
    return metrics


def _say(step: str) -> None:
    """Report the current step on standard error."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} UTC {step}\n")
    sys.stderr.flush()


def quick() -> Config:
    """Give a config that trains in minutes: for tests, and to try things out."""
    return replace(
        Config(), topologies=6, validation_topologies=2, test_topologies=2, episodes=8, rounds=60,
        held_out_episodes=8, candidates=({},),
    )  # fmt: skip
