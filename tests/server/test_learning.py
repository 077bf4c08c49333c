"""A training beside the stream, what becomes of it, and of one whose server is killed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from pathlib import Path

import grpc
import pytest

from ml.learning.__main__ import MAX_NICENESS
from ml.serving.artefact import CONFIG, LEARNING, METRICS, SHIPPED, TREES, read_manifest
from server.learning.recorder import PRE_FAULT_FRAMES, RecordedExperiment
from sre_edge import Client
from sre_edge.v1 import model_pb2, simulation_service_pb2, training_pb2
from sre_edge.v1 import prediction_service_pb2 as pb
from tests.conftest import StartServer
from tests.processes import Program, sre_edge
from tests.server.learning import SMALL, TINY, another_model, fill, poor_model, trainers
from tests.server.model_calls import (
    BUILT_IN,
    RUNNING,
    activate,
    called,
    ended,
    live,
    models,
    refused,
    start_training,
    training,
    until,
)
from tests.server.stubs import Stubs

# A training has the least priority: it waits until the tests beside it leave it a core.
pytestmark = pytest.mark.timeout(1800)


async def test_a_training_beside_a_stream_a_candidate_that_is_kept_and_its_activation(
    start_server: StartServer, tmp_path: Path, known: list[RecordedExperiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    app = await start_server(data=data, speed=10.0)
    async with called(app) as stubs:
        stream = stubs.simulation.StreamMetrics(simulation_service_pb2.StreamMetricsRequest())
        sequences: list[int] = []

        async def read() -> None:
            async for message in stream:
                assert not message.HasField("gap")
                sequences.append(message.snapshot.cursor.sequence)

        reading = asyncio.create_task(read())
        started = await start_training(stubs, **TINY)
        assert (started.id, started.state, started.base_version) == (1, RUNNING, BUILT_IN)
        code, name, metadata = await refused(start_training(stubs))
        assert (code, name) == (grpc.StatusCode.FAILED_PRECONDITION, "TRAINING_RUNS")
        assert metadata == {"training_id": "1"}
        progress = await ended(stubs, started.id)
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert len(sequences) > 20
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))

        shares = [one.share_done for one in progress]
        assert shares == sorted(shares)
        assert {"simulating systems", "simulating other systems"} <= {one.stage for one in progress}
        last = progress[-1]
        assert last.state == training_pb2.TRAINING_STATE_KEPT, last.message
        assert last.message.startswith("kept, not made live: ")
        assert "95 % interval" in last.message
        on = [one.compared_on for one in last.comparisons]
        assert on == [training_pb2.COMPARED_ON_ALL, training_pb2.COMPARED_ON_SIMULATED,
                      training_pb2.COMPARED_ON_LIVE]  # fmt: skip
        assert last.comparisons[0].episodes == 3  # two simulated, and the newest experiment
        shown = await asyncio.to_thread(sre_edge, app.address, "train", "--status", "--wait")
        assert shown.returncode == 0, shown.stderr
        for words in ("training 1: kept", last.candidate_version, "recall at 0.5 false alarms"):
            assert words in shown.stdout
        assert await live(stubs) == BUILT_IN

        candidate, built_in = await models(stubs)
        assert (candidate.version, candidate.base_version) == (last.candidate_version, BUILT_IN)
        assert candidate.origin == model_pb2.MODEL_ORIGIN_TRAINED
        assert (built_in.version, built_in.active) == (BUILT_IN, True)
        described = await stubs.prediction.GetModel(pb.GetModelRequest(version=candidate.version))
        assert "## Learning mode" in described.card
        assert described.metrics["comparison"]["better"] is False
        assert described.curves.operating_points
        assert described.curves.reliability
        assert described.curves.lead_times
        learned = json.loads((data / "models" / candidate.version / CONFIG).read_text())[LEARNING]
        keys = [f"{one.first.run.id}-{one.first.sequence}" for one in known]
        assert learned["compared_on"] == keys[-1:]  # the newest, whole
        assert set(learned["experiments"]) == set(keys[:-1])
        tried = json.loads((SHIPPED / METRICS).read_text())["candidates"]
        best = max(tried, key=lambda one: one["average_precision"])
        assert learned["changes"] == best["changes"]  # it is fitted as the live model was
        await activations_under_load(stubs, candidate.version)
    await app.stop()

    again = await start_server(data=data)
    async with called(again) as stubs:
        assert await live(stubs) == candidate.version
        assert await training(stubs) == last
        shutil.rmtree(data / "models" / candidate.version)
    await again.stop()
    without = await start_server(data=data)
    async with called(without) as stubs:
        assert await live(stubs) == BUILT_IN


async def activations_under_load(stubs: Stubs, version: str) -> None:
    """Roll forward and back while others predict; leaves `version` live."""
    versions: list[str] = []
    stopping = asyncio.Event()

    async def predict() -> int:
        calls = 0
        while not stopping.is_set():
            answer = await stubs.prediction.Predict(pb.PredictRequest())  # raises if one is lost
            assert {p.model_version for p in answer.predictions} == {answer.system.model_version}
            versions.append(answer.system.model_version)
            calls += 1
        return calls

    calling = [asyncio.create_task(predict()) for _ in range(8)]
    previous = BUILT_IN
    for chosen in (version, BUILT_IN, version, BUILT_IN, version):
        answer = await activate(stubs, chosen)
        assert (answer.model.version, answer.previous_version) == (chosen, previous)
        assert answer.model.active
        async with asyncio.timeout(30):
            while await live(stubs) != chosen:
                await asyncio.sleep(0.02)
        previous = chosen
    stopping.set()
    assert min(await asyncio.gather(*calling)) > 0
    assert set(versions) == {version, BUILT_IN}


@pytest.mark.slow
async def test_a_candidate_that_is_better_goes_live_and_stays_so(
    start_server: StartServer, tmp_path: Path, known: list[RecordedExperiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    poor = poor_model(tmp_path / "poor")
    base = read_manifest(poor).version
    app = await start_server(data=data, model=poor)
    async with called(app) as stubs:
        assert await live(stubs) == base
        started = await start_training(stubs, **SMALL)
        last = (await ended(stubs, started.id))[-1]
        assert last.state == training_pb2.TRAINING_STATE_PROMOTED, last.message
        assert last.message.startswith("better, and as well calibrated")
        assert last.comparisons[0].recall.difference_low > 0.0
        assert await stubs.until(lambda s: s.system.model_version == last.candidate_version)
    await app.stop()
    again = await start_server(data=data, model=poor)
    async with called(again) as stubs:
        assert await live(stubs) == last.candidate_version
        assert (await activate(stubs, base)).previous_version == last.candidate_version


@pytest.mark.slow
async def test_a_better_candidate_is_kept_if_another_model_went_live_meanwhile(
    start_server: StartServer, tmp_path: Path, known: list[RecordedExperiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    poor = poor_model(tmp_path / "poor")
    other = read_manifest(another_model(data / "models" / "other", 50)).version
    app = await start_server(data=data, model=poor)
    async with called(app) as stubs:
        started = await start_training(stubs, **SMALL)
        await activate(stubs, other)
        kept = (await ended(stubs, started.id))[-1]
        assert kept.state == training_pb2.TRAINING_STATE_KEPT
        assert kept.message.startswith(
            "kept, not made live: another model went live meanwhile. better, and as well calibrated"
        )
        assert await live(stubs) == other


async def test_a_server_that_is_killed_while_it_trains(
    tmp_path: Path, known: list[RecordedExperiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    command = ("-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    program = Program(*command, SRE_EDGE_DATA=str(data))
    with Client(program.expect(r"grpc://(\S+)")[1]) as client:
        client.train(**TINY)
        following = client.follow_training(every_s=0.1)
        assert next(t for t in following if t.stage == "simulating systems").state == RUNNING
        (trained,) = trainers(data)
        assert os.getpriority(os.PRIO_PROCESS, trained) == MAX_NICENESS
        assert os.getsid(trained) == os.getsid(program.process.pid)  # else priorities mean nothing
        assert os.getpgid(trained) == trained  # Ctrl-C is not for it
        program.stop(signal.SIGKILL)
    await until(lambda: not trainers(data))  # it does not outlive its server
    half = data / "models" / ".unfinished-training-1"
    half.mkdir(parents=True)
    shutil.copy(SHIPPED / TREES, half / TREES)  # as if it had come so far
    program = Program(*command, SRE_EDGE_DATA=str(data))
    with Client(program.expect(r"grpc://(\S+)")[1]) as client:
        interrupted = client.training()
        assert interrupted.state == training_pb2.TRAINING_STATE_INTERRUPTED
        assert interrupted.message == "the server stopped during the training"
        assert interrupted.HasField("end_time")
        assert [model.version for model in client.models()] == [BUILT_IN]
        assert not half.exists()
        assert client.train(**TINY).id == 2
    assert program.stop() == 0
    assert not trainers(data)
    program = Program(*command, SRE_EDGE_DATA=str(data))
    with Client(program.expect(r"grpc://(\S+)")[1]) as client:
        assert client.training(2).state == training_pb2.TRAINING_STATE_INTERRUPTED
    program.stop()


async def test_a_training_begins_by_itself_if_that_is_switched_on(
    start_server: StartServer, tmp_path: Path, known: list[RecordedExperiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known[:1])
    app = await start_server(speed=100.0, data=data, learn_after=2)
    async with called(app) as stubs:
        await stubs.until(lambda snapshot: snapshot.cursor.sequence > PRE_FAULT_FRAMES)
        await stubs.inject(target="database", kind="FAULT_KIND_CPU_SPIKE", duration="1s")
        async with asyncio.timeout(60):
            while (await refused_or(stubs)) is None:
                await asyncio.sleep(0.1)
        assert (await training(stubs)).state == RUNNING
    await app.stop()
    again = await start_server(data=data)
    async with called(again) as stubs:
        assert (await training(stubs)).state == training_pb2.TRAINING_STATE_INTERRUPTED


async def refused_or(stubs: Stubs) -> training_pb2.Training | None:
    try:
        return await training(stubs)
    except grpc.aio.AioRpcError:
        return None
