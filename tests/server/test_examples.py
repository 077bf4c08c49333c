"""Experiments on the live system become labelled examples."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from ml.features import NAMES
from ml.live.archive import from_bytes
from ml.live.window import COMPLETE_FRAMES, MIN_FRAMES, LiveWindow
from ml.serving.artefact import SHIPPED
from ml.serving.predictor import Predictor
from server.learning.examples import MAX_WAITING, ExampleWriter
from server.learning.recorder import PRE_FAULT_FRAMES, ExperimentRecorder, RecordedExperiment
from server.records.systems import DEFAULT_SYSTEM
from server.sources.simulation import simulation
from server.store import learned_examples, locate, open_store
from server.systems.system import System
from telemetry.faults import Fault, FaultKind
from tests.conftest import StartServer
from tests.server.model_calls import (
    called,
    until,
)
from tests.server.store.test_store import newest


async def test_an_experiment_becomes_examples_that_survive_a_restart(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "kept"
    app = await start_server(speed=100.0, data=data)
    async with called(app) as stubs:
        await stubs.until(lambda snapshot: snapshot.cursor.sequence > PRE_FAULT_FRAMES)
        fault = await stubs.inject(
            target="database", kind="FAULT_KIND_SERVICE_KILL", duration="40s", ramp="20s"
        )
        await until(lambda: app.store.read(newest))
    await app.stop()
    again = await start_server(data=data)
    (kept,) = again.store.read(newest)
    content = again.store.read(lambda c: learned_examples.content(c, kept.id))
    assert content is not None
    recording = from_bytes(content)
    assert [f["id"] for f in kept.faults] == [fault.id]
    assert kept.faults[0]["kind"] == "service_kill"
    assert (kept.frames, kept.services) == recording.label.shape[::2]
    assert kept.incidents == len(recording.incidents) > 0
    assert recording.label.any()
    assert recording.incidents[0].onset >= PRE_FAULT_FRAMES  # it was recorded from before the fault


def test_experiments_that_wait_for_the_database_are_limited(tmp_path: Path) -> None:
    store = open_store(locate(tmp_path, None))
    released = threading.Event()
    store.offer(lambda _: released.wait(60.0))
    features = np.zeros((MIN_FRAMES + COMPLETE_FRAMES, 1, len(NAMES)), np.float32)
    seen = LiveWindow("default", ("database",), np.array([3]), features, (), ())
    first = System(simulation("default", 1), Predictor()).latest
    examples = ExampleWriter(store)
    for _ in range(MAX_WAITING + 3):
        examples.write(DEFAULT_SYSTEM, RecordedExperiment(first, (), seen))
    released.set()
    examples.close()
    assert len(store.read(newest)) == MAX_WAITING
    store.close()


def test_faults_that_overlap_are_one_experiment_and_a_reset_keeps_what_is_known() -> None:
    found: list[RecordedExperiment] = []
    recorder = ExperimentRecorder(found.append)
    system = System(simulation("default", 1), Predictor(SHIPPED), observer=recorder.observe)
    for _ in range(30):
        system.tick()
    assert not found
    first = system.inject(Fault("database", FaultKind.NETWORK_LATENCY, 0.0, 40.0)).faults[0]
    for _ in range(10):
        system.tick()
    second = system.inject(Fault("auth-service", FaultKind.ERROR_BURST, 0.0, 600.0)).faults[0]
    for _ in range(90):
        system.tick()
    assert not found
    system.reset()
    (cut,) = found
    assert [fault.id for fault in cut.faults] == [first.id, second.id]
    assert len(cut.window.features) == PRE_FAULT_FRAMES + 100
    system.inject(Fault("database", FaultKind.NETWORK_LATENCY, 0.0, 20.0))
    for _ in range(10 + PRE_FAULT_FRAMES + COMPLETE_FRAMES):
        system.tick()
    recorder.close()
    assert len(found) == 2
    assert found[1].first.run != found[0].first.run
