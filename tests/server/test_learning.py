"""Learning mode over gRPC: examples, a training beside the stream, activation, restarts."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from ml.artefact import MANIFEST, SHIPPED, TREES, read_manifest
from ml.learning.live import COMPLETE_FRAMES, from_bytes
from ml.predictor import Predictor
from server.app import App
from server.chaos.orders import FaultOrder
from server.engine import Engine
from server.learning.recorder import BEFORE_FRAMES, Experiment, Recorder
from server.store import experiments
from simulator.faults import FaultKind
from simulator.topologies import shipped
from sre_edge import Client
from sre_edge.v1 import model_pb2, simulation_service_pb2, training_pb2
from sre_edge.v1 import prediction_service_pb2 as pb
from tests.conftest import StartServer
from tests.processes import Program
from tests.server.learning import TINY, another_model, experienced, fill, poor_model
from tests.server.stubs import Stubs, reason

BUILT_IN = read_manifest(SHIPPED).version
RUNNING = training_pb2.TRAINING_STATE_RUNNING


@pytest.fixture(scope="module")
def known() -> list[Experiment]:
    """Experiments, made once."""
    return experienced()


@asynccontextmanager
async def called(app: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(app.address) as channel:
        yield Stubs(channel)


async def refused(call: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    name, metadata, _ = reason(caught.value)
    return caught.value.code(), name, metadata


async def start_training(stubs: Stubs, **sizes: int) -> training_pb2.Training:
    return (await stubs.prediction.StartTraining(pb.StartTrainingRequest(**sizes))).training


async def training(stubs: Stubs, number: int = 0) -> training_pb2.Training:
    return (await stubs.prediction.GetTraining(pb.GetTrainingRequest(id=number))).training


async def ended(stubs: Stubs, number: int) -> list[training_pb2.Training]:
    """Wait for the end of a training; everything that was told of it meanwhile."""
    told = [await training(stubs, number)]
    async with asyncio.timeout(280):
        while told[-1].state == RUNNING:
            await asyncio.sleep(0.2)
            told.append(await training(stubs, number))
    return told


async def models(stubs: Stubs) -> list[model_pb2.Model]:
    return list((await stubs.prediction.ListModels(pb.ListModelsRequest())).models)


async def activate(stubs: Stubs, version: str) -> pb.ActivateModelResponse:
    return await stubs.prediction.ActivateModel(pb.ActivateModelRequest(version=version))


async def live(stubs: Stubs) -> str:
    return (await stubs.snapshot()).system.model_version


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await asyncio.to_thread(condition)):
            await asyncio.sleep(0.05)
    return found


async def test_an_experiment_becomes_examples_that_survive_a_restart(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "kept"
    app = await start_server(speed=100.0, data=data)
    async with called(app) as stubs:
        await stubs.until(lambda taken: taken.cursor.sequence > BEFORE_FRAMES)
        fault = await stubs.inject(
            target="database", kind="FAULT_KIND_SERVICE_KILL", duration="40s", ramp="20s"
        )
        await until(lambda: app.store.read(experiments.newest))
    await app.stop()
    again = await start_server(data=data)
    (kept,) = again.store.read(experiments.newest)
    content = again.store.read(lambda c: experiments.content(c, kept.id))
    assert content is not None
    recording = from_bytes(content)
    assert [f["id"] for f in kept.faults] == [fault.id]
    assert kept.faults[0]["kind"] == "service_kill"
    assert (kept.frames, kept.services) == recording.label.shape[::2]
    assert kept.incidents == len(recording.incidents) > 0
    assert recording.label.any()
    assert recording.incidents[0].onset >= BEFORE_FRAMES  # it was recorded from before the fault


def test_faults_that_overlap_are_one_experiment_and_a_reset_keeps_what_is_known() -> None:
    found: list[Experiment] = []
    recorder = Recorder(found.append)
    engine = Engine(shipped("default"), Predictor(SHIPPED), watch=recorder.observe)
    for _ in range(30):
        engine.tick()
    assert not found
    first = engine.inject(FaultOrder("database", FaultKind.NETWORK_LATENCY, 40.0))[0]
    for _ in range(10):
        engine.tick()
    second = engine.inject(FaultOrder("auth-service", FaultKind.ERROR_BURST, 600.0))[0]
    for _ in range(90):
        engine.tick()
    assert not found
    engine.reset()
    (cut,) = found
    assert [active.id for active in cut.faults] == [first.id, second.id]
    assert len(cut.seen.features) == BEFORE_FRAMES + 100
    engine.inject(FaultOrder("database", FaultKind.NETWORK_LATENCY, 20.0))
    for _ in range(10 + BEFORE_FRAMES + COMPLETE_FRAMES):
        engine.tick()
    recorder.close()
    assert len(found) == 2
    assert found[1].first.run != found[0].first.run


async def test_a_training_beside_a_stream_a_candidate_that_is_kept_and_its_activation(
    start_server: StartServer, tmp_path: Path, known: list[Experiment]
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
        begun = await start_training(stubs, **TINY)
        assert (begun.id, begun.state, begun.base_version) == (1, RUNNING, BUILT_IN)
        code, name, metadata = await refused(start_training(stubs))
        assert (code, name) == (grpc.StatusCode.FAILED_PRECONDITION, "TRAINING_RUNS")
        assert metadata == {"training_id": "1"}
        told = await ended(stubs, begun.id)
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert len(sequences) > 20
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))

        shares = [one.share_done for one in told]
        assert shares == sorted(shares)
        assert {"simulating systems", "simulating other systems"} <= {one.stage for one in told}
        last = told[-1]
        assert last.state == training_pb2.TRAINING_STATE_KEPT, last.message
        assert last.message.startswith("kept, not made live: ")
        assert "95 % interval" in last.message
        on = [one.compared_on for one in last.comparisons]
        assert on == [training_pb2.COMPARED_ON_ALL, training_pb2.COMPARED_ON_SIMULATED,
                      training_pb2.COMPARED_ON_LIVE]  # fmt: skip
        assert last.comparisons[0].episodes == 3  # two simulated, and the newest experiment
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
    start_server: StartServer, tmp_path: Path, known: list[Experiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    poor = poor_model(tmp_path / "poor")
    base = read_manifest(poor).version
    app = await start_server(data=data, model=poor)
    async with called(app) as stubs:
        assert await live(stubs) == base
        begun = await start_training(stubs, systems=2, episodes=12, held_out_systems=2, rounds=10)
        last = (await ended(stubs, begun.id))[-1]
        assert last.state == training_pb2.TRAINING_STATE_PROMOTED, last.message
        assert last.message.startswith("better, and as well calibrated")
        assert last.comparisons[0].recall.difference_low > 0.0
        assert await stubs.until(lambda s: s.system.model_version == last.candidate_version)
    await app.stop()
    again = await start_server(data=data, model=poor)
    async with called(again) as stubs:
        assert await live(stubs) == last.candidate_version
        assert (await activate(stubs, base)).previous_version == last.candidate_version


async def test_a_server_that_is_killed_while_it_trains(
    tmp_path: Path, known: list[Experiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    command = ("-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    program = Program(*command, SRE_EDGE_DATA=str(data))
    with Client(program.expect(r"grpc://(\S+)")[1]) as client:
        client.train(**TINY)
        following = client.follow_training(every_s=0.1)
        assert next(t for t in following if t.stage == "simulating systems").state == RUNNING
        trained = trainers(data)
        assert len(trained) == 1
        program.stop(signal.SIGKILL)
    await until(lambda: not trainers(data))  # it does not outlive its server
    half = data / "models" / ".unfinished-training-1"
    half.mkdir(parents=True)
    shutil.copy(SHIPPED / TREES, half / TREES)  # as if it had come so far
    program = Program(*command, SRE_EDGE_DATA=str(data))
    with Client(program.expect(r"grpc://(\S+)")[1]) as client:
        interrupted = client.training()
        assert interrupted.state == training_pb2.TRAINING_STATE_INTERRUPTED
        assert interrupted.message == "the server ended while it ran"
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


async def test_what_cannot_be_done_is_said_and_the_live_model_stays(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "kept"
    damaged = another_model(data / "models" / "2-damaged", 5)
    short = read_manifest(damaged).version
    with (damaged / TREES).open("r+") as file:
        file.truncate(1000)
    foreign = another_model(data / "models" / "2-foreign", 7)
    text = (foreign / MANIFEST).read_text()
    (foreign / MANIFEST).write_text(text.replace('"cpu_percent"', '"phase_of_the_moon"'))
    version = read_manifest(foreign).version
    app = await start_server(data=data)
    async with called(app) as stubs:
        listed = {model.version: model.problem for model in await models(stubs)}
        assert set(listed) == {short, version, BUILT_IN}
        assert "trees.json: differs from what was trained" in listed[short]
        assert "phase_of_the_moon" in listed[version]
        for wrong in (short, version):
            code, name, _ = await refused(activate(stubs, wrong))
            assert (code, name) == (grpc.StatusCode.FAILED_PRECONDITION, "UNUSABLE_MODEL")
        for call in (
            activate(stubs, "2-nowhere"),
            stubs.prediction.GetModel(pb.GetModelRequest(version="2-nowhere")),
        ):
            code, name, metadata = await refused(call)
            assert (code, name) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_MODEL")
            assert BUILT_IN in metadata["known"].split(",")
        assert (await refused(activate(stubs, "")))[1] == "INVALID_FIELD"
        assert (await refused(training(stubs)))[:2] == (
            grpc.StatusCode.NOT_FOUND,
            "UNKNOWN_TRAINING",
        )
        assert (await refused(training(stubs, 7)))[2] == {"training_id": "7"}
        code, name, metadata = await refused(start_training(stubs))
        assert (code, name) == (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_LEARN")
        assert metadata == {"experiments": "0", "needed": "2"}
        assert (await refused(start_training(stubs, systems=0)))[1] == "INVALID_FIELD"
        monkeypatch.setitem(sys.modules, "xgboost", None)  # what find_spec takes for not installed
        code, name, _ = await refused(start_training(stubs))
        assert (code, name) == (grpc.StatusCode.FAILED_PRECONDITION, "TRAINING_UNAVAILABLE")
        assert await live(stubs) == BUILT_IN


async def test_models_are_listed_page_by_page(start_server: StartServer, tmp_path: Path) -> None:
    data = tmp_path / "kept"
    for number, count in enumerate((3, 4, 5)):
        made = another_model(data / "models" / f"made-{count}", count)
        place = made.rename(data / "models" / read_manifest(made).version)
        os.utime(place, (number * 1000, number * 1000))
    app = await start_server(data=data)
    async with called(app) as stubs:
        every = [model.version for model in await models(stubs)]
        assert len(every) == 4
        assert every[-1] == BUILT_IN
        request = pb.ListModelsRequest(page_size=3)
        first = await stubs.prediction.ListModels(request)
        second = await stubs.prediction.ListModels(
            pb.ListModelsRequest(page_size=3, page_token=first.next_page_token)
        )
        assert [m.version for m in (*first.models, *second.models)] == every
        assert not second.next_page_token
        wrong = stubs.prediction.ListModels(pb.ListModelsRequest(page_token="x"))
        assert (await refused(wrong))[1] == "INVALID_FIELD"


async def test_a_training_begins_by_itself_if_that_is_switched_on(
    start_server: StartServer, tmp_path: Path, known: list[Experiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known[:1])
    app = await start_server(speed=100.0, data=data, learn_after=2)
    async with called(app) as stubs:
        await stubs.until(lambda taken: taken.cursor.sequence > BEFORE_FRAMES)
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
