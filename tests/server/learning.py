"""A poor model, experiments, and a store that holds them, without waiting for a live system."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from ml.features import LEARNED
from ml.learning.booster import booster
from ml.live.archive import to_bytes
from ml.live.window import labelled
from ml.serving.artefact import (
    CARD,
    CONFIG,
    INCIDENT_MODEL,
    LEARNING,
    METRICS,
    SHIPPED,
    TREES,
    Calibration,
    read_manifest,
    write_compact_json,
    write_manifest,
)
from ml.serving.predictor import Predictor
from ml.training.export import export, trees
from server.learning.recorder import ExperimentRecorder, RecordedExperiment
from server.records.systems import DEFAULT_SYSTEM
from server.sources.simulation import simulation
from server.store import learned_examples, locate, open_store
from server.store.learned_examples import LearnedExperiment
from server.systems.system import System
from telemetry.faults import Fault, FaultKind

TINY = {"systems": 1, "episodes": 2, "held_out_systems": 1, "rounds": 3}
SMALL = {"systems": 2, "episodes": 12, "held_out_systems": 2, "rounds": 10}
"""Enough to tell a poor model from a better one."""

ORDERS = (
    Fault("database", FaultKind.SERVICE_KILL, 0.0, 60.0, 1.0, ramp_s=40.0),
    Fault("auth-service", FaultKind.NETWORK_LATENCY, 0.0, 40.0, 0.8),
    Fault("user-service", FaultKind.ERROR_BURST, 0.0, 40.0, 1.5, ramp_s=20.0),
    Fault("database", FaultKind.CPU_SPIKE, 0.0, 40.0, 0.5),
)


def poor_model(directory: Path) -> Path:
    """Make a model that can be used and is poor: whatever its trees say, it says 0.12."""
    return another_model(directory, 100, Calibration(0.0, 0.0, -2.0, 0.12))


def another_model(directory: Path, count: int, calibration: Calibration | None = None) -> Path:
    """Make a model of the first trees of the shipped one, so with another version."""
    shutil.copytree(SHIPPED, directory)
    for report in (METRICS, CARD):
        (directory / report).unlink()
    cut = booster(SHIPPED)[:count]
    rows = np.zeros((10, len(LEARNED)), np.float32)
    export(cut, LEARNED, rows, directory / INCIDENT_MODEL)
    write_compact_json(directory / TREES, trees(cut))
    known = read_manifest(SHIPPED)
    write_manifest(
        directory, known.features, known.types, calibration or known.calibration, known.threshold
    )
    return directory


def candidate(directory: Path, count: int) -> Path:
    """Make a model as learning mode does, as far as its config tells."""
    another_model(directory, count)
    config = json.loads((directory / CONFIG).read_text())
    config[LEARNING] = {"base": read_manifest(SHIPPED).version, "experiments": []}
    (directory / CONFIG).write_text(json.dumps(config))
    known = read_manifest(SHIPPED)
    write_manifest(directory, known.features, known.types, known.calibration, known.threshold)
    return directory


def experienced(orders: Sequence[Fault] = ORDERS) -> list[RecordedExperiment]:
    """Run experiments as fast as the simulation goes, one after the other."""
    found: list[RecordedExperiment] = []
    recorder = ExperimentRecorder(found.append)
    system = System(simulation("default", 1), Predictor(SHIPPED), observer=recorder.observe)
    for number, order in enumerate(orders, 1):
        system.inject(order)
        while len(found) < number:
            system.tick()
    return found


def fill(data: Path, known: Sequence[RecordedExperiment], packed: bytes | None = None) -> None:
    """Keep experiments in the store of a data directory that no server uses; `packed` is kept."""
    store = open_store(locate(data, None))
    for experiment in known:
        recording = labelled(experiment.window)
        assert recording is not None
        content = to_bytes(recording) if packed is None else packed
        now = datetime.now(UTC)
        row = LearnedExperiment(
            system=DEFAULT_SYSTEM, run_id=experiment.first.run.id, topology="default",
            first_sequence=experiment.first.sequence, started=now, ended=now + timedelta(minutes=3),
            faults=[], services=4, frames=len(recording.label),
            incidents=len(recording.incidents), bytes=len(content),
        )  # fmt: skip
        store.write(
            lambda c, row=row, content=content: learned_examples.add(c, row, content)
        ).result()
    store.close()


def trainers(data: Path) -> list[int]:
    """Find the processes that train for a server with this data directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if b"ml.learning" in words and str(data).encode() in b" ".join(words):
            found.append(int(entry.parent.name))
    return found
