"""Experiments on the live system become labelled examples."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from ml.definitions.labelled import UNKNOWN_TYPE
from ml.definitions.labels import HORIZON_FRAMES
from ml.episodes.recording import Recording
from ml.features import NAMES
from ml.live.archive import from_bytes, to_bytes
from ml.live.window import COMPLETE_FRAMES, MIN_FRAMES, LiveWindow, labelled
from ml.serving.artefact import SHIPPED
from ml.serving.predictor import Predictor
from ml.training.dataset import sample
from server.learning.examples import MAX_WAITING, ExampleWriter
from server.learning.recorder import PRE_FAULT_FRAMES, ExperimentRecorder, RecordedExperiment
from server.records.systems import DEFAULT_SYSTEM
from server.sources.scripted import ScriptedFactory, ScriptedFrame
from server.sources.simulation import simulation
from server.store import learned_examples, locate, open_store
from server.systems.system import System
from telemetry.faults import Fault, FaultKind
from tests.conftest import StartServer
from tests.server.model_calls import (
    called,
    until,
)
from tests.server.pipeline.frames import FAILING, frame, graph
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


def test_where_the_truth_is_not_known_incidents_are_learned_from_without_types() -> None:
    found: list[RecordedExperiment] = []
    recorder = ExperimentRecorder(found.append)
    same = graph()
    shown = [
        ScriptedFrame(same, frame(n, {"store": FAILING} if n % 400 in range(200, 230) else {}))
        for n in range(60 + 700)
    ]
    factory = ScriptedFactory(tuple(shown), past=60, faults=False, labels=False)
    system = System(factory, Predictor(SHIPPED), observer=recorder.observe)
    for _ in range(690):
        system.tick()
    recorder.close()
    first, second = (labelled(one.window) for one in found)
    assert first is not None
    assert second is not None
    assert first.types == second.types == (UNKNOWN_TYPE,)
    onset = first.incidents[0].onset
    assert onset > HORIZON_FRAMES  # what announced it is in it, and as much before
    assert first.label[onset - HORIZON_FRAMES : onset, 0, first.incidents[0].service].all()
    assert not found[0].faults
    kept = from_bytes(to_bytes(first))
    assert kept.types == (UNKNOWN_TYPE,)
    rows = sample(Recording(**vars(kept)), 1.0, 1)
    assert set(rows.type.tolist()) == {UNKNOWN_TYPE}
    assert rows.label.any()
