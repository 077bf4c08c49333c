"""What `python -m ml evaluate` runs: record systems or read recordings, then evaluate a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.episodes.recorded import read_episode
from ml.episodes.recording import Recording, record
from ml.episodes.systems import held_out_topology, record_with_causes
from ml.evaluation.evaluate import evaluate, score_predictors
from ml.evaluation.oracle import oracle
from ml.evaluation.plots import plots
from ml.serving.artefact import read_manifest
from ml.training.compute import Local
from simulator.faults.scenario import Scenario, load_scenarios
from simulator.topology.file import load_topology
from simulator.topology.resolved import Topology
from telemetry.graph import FloatArray

VALIDATION_SYSTEMS, VALIDATION_EPISODES = 8, 16


def report_recordings(
    directories: Sequence[Path], seed: int, model: Path, *, plot_directory: Path | None = None
) -> dict[str, Any]:
    """Evaluate a model on recordings; simulated systems set the baselines' thresholds.

    Plots are written to `plot_directory`, if it is given.

    Raises
    ------
    DocumentError
        If a recording cannot be used.
    ArtefactError
        If the model cannot be used.
    """
    read_manifest(model)
    test = list(Local().each(read_episode, directories, "reading"))
    return _evaluated(test, seed, model, None, plot_directory)


def report(
    topology_files: Sequence[str],
    scenario_files: Sequence[str],
    random_systems: int,
    episodes: int,
    seed: int,
    directory: Path,
    *,
    with_oracle: bool = False,
    plot_directory: Path | None = None,
) -> dict[str, Any]:
    """Evaluate a model on given or random systems; other systems set the baselines' thresholds.

    Plots are written to `plot_directory`, if it is given.

    Raises
    ------
    DocumentError
        If a file cannot be used.
    ArtefactError
        If the model cannot be used.
    """
    read_manifest(directory)  # before minutes of simulation
    systems = [load_topology(path) for path in topology_files]
    systems = systems or [held_out_topology(n, seed + 500) for n in range(random_systems)]
    chosen = [
        load_scenarios(path, topology.graph())
        for path, topology in zip(scenario_files, systems, strict=False)
    ]
    if chosen:
        jobs = [(t, s, seed + i) for i, (t, s) in enumerate(zip(systems, chosen, strict=True))]
        test = list(Local().each(_record, jobs, "simulating"))
    else:
        mixed = [(topology, episodes, seed + i) for i, topology in enumerate(systems)]
        test = list(Local().each(record_with_causes, mixed, "simulating"))
    ceiling = None
    if with_oracle:
        oracle_jobs = [
            (t, r.scenarios, seed + i) for i, (t, r) in enumerate(zip(systems, test, strict=True))
        ]
        ceiling = list(Local().each(_oracle, oracle_jobs, "asking the oracle"))
    return _evaluated(test, seed, directory, ceiling, plot_directory)


def _evaluated(
    test: Sequence[Recording],
    seed: int,
    directory: Path,
    ceiling: Sequence[FloatArray] | None,
    plot_directory: Path | None,
) -> dict[str, Any]:
    others = [
        (held_out_topology(n, seed + 900), VALIDATION_EPISODES, seed + n)
        for n in range(VALIDATION_SYSTEMS)
    ]
    validation = list(Local().each(record_with_causes, others, "simulating validation systems"))
    predictors = score_predictors(test, validation, directory, ceiling)
    if plot_directory is not None:
        plots(predictors.scores, predictors.thresholds, plot_directory)
    return evaluate(predictors, directory, seed)


def _oracle(job: tuple[Topology, Sequence[Scenario], int]) -> FloatArray:
    return oracle(*job)


def _record(job: tuple[Topology, Sequence[Scenario], int]) -> Recording:
    return record(*job, with_causes=True)
