"""Trains a candidate from the live model, simulated systems and live experiments."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from ml.definitions.incident_types import INCIDENT_TYPES
from ml.episodes.recording import Recording
from ml.episodes.systems import held_out_jobs, record_with_causes
from ml.evaluation.evaluate import model_score
from ml.evaluation.pool import Scored
from ml.features import LEARNED
from ml.learning.booster import ContinueError, booster
from ml.learning.comparison import Pair, Verdict, judged
from ml.learning.incremental import IncrementalTraining, Progress
from ml.learning.job import Job, Split, split
from ml.live.archive import ExamplesError, from_bytes
from ml.serving.artefact import (
    CASCADE,
    CONFIG,
    LEARNING,
    LOGISTIC,
    METRICS,
    TYPE_MODEL,
    Manifest,
    read_manifest,
    write_json,
    write_manifest,
)
from ml.serving.predictor import Predictor
from ml.training.calibration import calibrate, threshold
from ml.training.dataset import (
    Rows,
    concatenated,
    sample,
    sample_batch,
    training_jobs,
)
from ml.training.description import describe, write_incident
from ml.training.fitting import Fitting, fit_incident
from ml.training.train import Config

EVERY_ROW = 1.0
CHANGES = "changes"
LIVE_SHARE, MAX_TIMES = 0.25, 20.0
"""Live rows count up to 20 times, but together for at most a quarter of all."""
MAX_TREES = 1000
"""Each training adds some; with more of them a tick of a large system would take too long."""
SEEDS_FROM = 100_000
"""Beyond the seeds that models are trained from scratch with, so that the systems are new."""


def learn(job: Job, progress: Progress) -> tuple[Manifest, Verdict]:
    """Train a candidate and compare it with the live model.

    Raises
    ------
    ArtefactError, ContinueError
        If training cannot continue from the live model.
    ExamplesError
        If there is no live experiment to learn from, or none to compare on.
    """
    base_directory, seed = Path(job.base), SEEDS_FROM + job.number
    base_config = json.loads((base_directory / CONFIG).read_text(encoding="utf-8"))
    before = base_config.get(LEARNING, {})
    known = before.get("experiments", [])
    live, unusable = _read(job.experiments)
    chosen = split(tuple(live), known)
    if not (chosen.learned and chosen.compared):
        raise ExamplesError(_too_few(len(live), unusable))
    base = booster(base_directory)
    rounds = min(job.rounds, MAX_TREES - base.num_boosted_rounds())
    if rounds < 1:
        raise ContinueError(
            f"the live model has {base.num_boosted_rounds()} trees, and {MAX_TREES} are the most: "
            "activate another one, or train one from scratch: python -m ml train"
        )
    compute = IncrementalTraining(base, progress)

    jobs = training_jobs(job.systems, job.episodes, seed, Config().share)
    simulated = [rows for rows, _ in compute.each(sample_batch, jobs, "simulating systems")]
    learning = _weighted(
        concatenated(simulated), [sample(live[key], EVERY_ROW, seed) for key in chosen.learned]
    )
    others = job.checked_systems + job.compared_systems
    other_jobs = held_out_jobs(others, job.held_out_episodes, seed)
    held_out = list(compute.each(record_with_causes, other_jobs, "simulating other systems"))
    validation, test = held_out[: job.checked_systems], held_out[job.checked_systems :]
    checking = _weighted(
        concatenated([sample(recording, EVERY_ROW, seed) for recording in validation]),
        [sample(live[key], EVERY_ROW, seed) for key in chosen.checked],
    )
    options = {**Config().options, **base_config.get("options", {})}
    fitting = Fitting(compute, options, rounds, job.patience, seed)
    changes = _changes(base_directory, before)
    incident = fit_incident(fitting, changes, learning, checking)

    progress("exporting", 0, 1)
    config = {
        **base_config,
        "topologies": job.systems, "episodes": job.episodes, "test_topologies": len(test),
        "seed": seed,
        LEARNING: {
            "base": read_manifest(base_directory).version,
            "experiments": sorted({*known, *chosen.learned, *chosen.checked}),
            "compared_on": list(chosen.compared),
            "unusable": unusable,
            CHANGES: changes,
        },
    }  # fmt: skip
    output = Path(job.output)
    parity = _export(output, base_directory, incident, checking, config)
    calibration = calibrate(incident, checking, validation)
    chosen_threshold = threshold(incident, calibration, validation)
    manifest = write_manifest(output, LEARNED, tuple(INCIDENT_TYPES), calibration, chosen_threshold)
    progress("comparing", 0, 2)
    models = Predictor(base_directory), Predictor(output)
    verdict = judged(_pair(models, test), _pair(models, [live[key] for key in chosen.compared]))
    progress("comparing", 1, 2)
    facts = {
        "onnx_parity": {"incident": parity},
        "learned_rows": len(learning.label),
        "comparison": asdict(verdict),
    }
    more = _card_section(config[LEARNING], chosen, verdict)
    manifest, _ = describe(output, manifest, incident, config, facts, validation, test, more)
    return manifest, verdict


def _read(files: dict[str, str]) -> tuple[dict[str, Recording], dict[str, str]]:
    """Read live experiments; those that cannot be learned from, with the reason."""
    live, unusable = {}, {}
    for key, file in files.items():
        try:
            live[key] = Recording(**vars(from_bytes(Path(file).read_bytes())))
        except ExamplesError as error:
            unusable[key] = str(error)
    return live, unusable


def _too_few(usable: int, unusable: dict[str, str]) -> str:
    why = f": {'; '.join(sorted(set(unusable.values())))}" if unusable else ""
    return (
        "expected an experiment to learn from, and another to judge by that the live model does "
        f"not know; {usable} of {usable + len(unusable)} recorded ones can be used{why}"
    )


def _changes(base: Path, before: dict[str, Any]) -> dict[str, float]:
    """Give the options that the base was fitted with instead: those that did best on validation."""
    if CHANGES in before:
        stated: dict[str, float] = before[CHANGES]
        return stated
    if not (base / METRICS).exists():
        return {}
    tried = json.loads((base / METRICS).read_text(encoding="utf-8")).get("candidates", [])
    best = max(tried, key=lambda one: float(one["average_precision"]), default=None)
    return dict(best["changes"]) if best else {}


def _weighted(simulated: Rows, live: list[Rows]) -> Rows:
    """Put rows together so that the few live ones count."""
    if not live:
        return simulated
    together = concatenated(live)
    share = LIVE_SHARE / (1.0 - LIVE_SHARE) * float(simulated.weight.sum())
    times = np.clip(share / max(float(together.weight.sum()), 1.0), 1.0, MAX_TIMES)
    return concatenated([simulated, replace(together, weight=together.weight * np.float32(times))])


def _export(
    output: Path,
    base: Path,
    incident: xgboost.Booster,
    checking: Rows,
    config: dict[str, Any],
) -> float:
    """Write all but the manifest and the reports; the type model and the spread are copied."""
    output.mkdir(parents=True)
    for name in (TYPE_MODEL, LOGISTIC, CASCADE):
        shutil.copy(base / name, output / name)
    write_json(output / CONFIG, config)
    return write_incident(output, incident, checking.features)


def _pair(models: tuple[Predictor, Predictor], recordings: Sequence[Recording]) -> Pair:
    return Pair(*([Scored(r, model_score(model, r)) for r in recordings] for model in models))


def _card_section(learning: dict[str, Any], chosen: Split, verdict: Verdict) -> str:
    """Write the section of the card on learning mode: training data and comparison."""
    return "\n".join(
        [
            "",
            "## Learning mode",
            f"It continues from model {learning['base']}: trees were added to those of that model, "
            f"with {len(chosen.learned)} live experiments and the systems above. Calibrated on "
            f"{len(chosen.checked)} others and on validation systems; compared on "
            f"{len(chosen.compared)} newest ones that neither model had seen, and on other "
            "simulated systems. What names types of incidents is that of the other model. The "
            "shares of the gain above are those of the added trees.",
            "",
            f"{verdict.reason}.",
            "",
        ]
    )
