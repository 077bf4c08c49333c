"""Models: listed, refused, and the live one stays."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from ml.serving.artefact import (
    CARD,
    INCIDENT_MODEL,
    MANIFEST,
    METRICS,
    SHIPPED,
    TREES,
    read_manifest,
    write_manifest,
)
from ml.serving.predictor import Predictor
from server.learning.model_registry import ModelRegistry
from server.records.systems import DEFAULT_SYSTEM
from server.sources.simulation import simulation
from server.store import activations, locate, open_store
from server.store.activations import Activation
from server.systems.system import System
from sre_edge.v1 import prediction_service_pb2 as pb
from tests.conftest import StartServer
from tests.server.learning import another_model, candidate
from tests.server.model_calls import (
    BUILT_IN,
    activate,
    called,
    live,
    models,
    refused,
    start_training,
    training,
)
from tests.server.stubs import reason


async def test_a_model_that_only_onnx_finds_damaged_is_refused_without_a_path(
    start_server: StartServer, tmp_path: Path
) -> None:
    garbage = another_model(tmp_path / "models" / "2-garbage", 9)
    (garbage / INCIDENT_MODEL).write_bytes(b"garbage")
    known = read_manifest(SHIPPED)
    stated = (known.features, known.types, known.calibration, known.threshold)
    version = write_manifest(garbage, *stated).version
    app = await start_server(data=tmp_path)
    async with called(app) as stubs:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await activate(stubs, version)
        assert reason(caught.value)[0] == "UNUSABLE_MODEL"
        details = str(caught.value.details())
        assert "incident.onnx: expected converted trees" in details
        assert str(tmp_path) not in details
        assert await live(stubs) == BUILT_IN


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
    (foreign / METRICS).write_text('{"overall": "good"}')
    (foreign / CARD).write_bytes(b"\xff")
    version = read_manifest(foreign).version
    app = await start_server(data=data)
    async with called(app) as stubs:
        listed = {model.version: model.problem for model in await models(stubs)}
        assert set(listed) == {short, version, BUILT_IN}
        assert "trees.json: differs from what was trained" in listed[short]
        assert "phase_of_the_moon" in listed[version]
        assert not any(str(data) in problem for problem in listed.values())
        described = await stubs.prediction.GetModel(pb.GetModelRequest(version=version))
        assert (described.model.problem, described.card) == (listed[version], "")
        for wrong in (short, version):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await activate(stubs, wrong)
            assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
            assert reason(caught.value)[0] == "UNUSABLE_MODEL"
            assert listed[wrong] in str(caught.value.details())
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
        for sizes in ({"systems": 0}, {"rounds": 1001}, {"held_out_systems": 50, "episodes": 64}):
            assert (await refused(start_training(stubs, **sizes)))[1] == "INVALID_FIELD"
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


def test_candidates_that_never_went_live_give_way_to_newer_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.learning.model_registry.MAX_UNUSED", 2)
    store = open_store(locate(tmp_path / "kept", None))
    models = ModelRegistry(SHIPPED, store.location.models, store)
    models.serve(DEFAULT_SYSTEM, System(simulation("default", 1), Predictor(SHIPPED)))
    by_hand = another_model(store.location.models / "by-hand", 2)
    os.utime(by_hand, (1, 1))
    added = []
    for number in range(5):
        made = candidate(models.unfinished(str(number)), 3 + number)
        added.append(models.add(made).version)
        os.utime(store.location.models / added[-1], (number + 2, number + 2))
        if number == 0:
            gone_live = Activation(DEFAULT_SYSTEM, added[0], datetime.now(UTC), "asked for")
            store.write(lambda c, gone_live=gone_live: activations.add(c, gone_live)).result()
    kept = [model.version for model in models.all_models()]
    assert kept == [
        *(added[number] for number in (4, 3, 2, 0)), read_manifest(by_hand).version, BUILT_IN
    ]  # fmt: skip
    store.close()
