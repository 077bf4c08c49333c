"""Trainings that fail: the reason is told, nothing is left behind, and the next one can begin."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from ml.learning.booster import ContinueError, booster
from ml.learning.candidate import learn
from ml.learning.job import Job
from ml.live.archive import to_bytes
from ml.live.window import labelled
from ml.serving.artefact import SHIPPED, TREES, read_manifest
from server.learning.recorder import RecordedExperiment
from server.store import trainings, writer
from sre_edge.v1 import training_pb2
from tests.conftest import StartServer
from tests.processes import sre_edge
from tests.server.learning import TINY, another_model, fill, trainers
from tests.server.model_calls import (
    BUILT_IN,
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

# A training has the least priority: it waits until the tests beside it leave it a core.
pytestmark = pytest.mark.timeout(1800)
FAILED = training_pb2.TRAINING_STATE_FAILED


async def test_a_process_that_dies_and_a_place_that_cannot_be_written(
    start_server: StartServer, tmp_path: Path, known: list[RecordedExperiment]
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    app = await start_server(data=data)
    async with called(app) as stubs:
        started = await start_training(stubs, **TINY)
        (process,) = await until(lambda: trainers(data))
        os.kill(process, signal.SIGKILL)
        last = (await ended(stubs, started.id))[-1]
        assert (last.state, last.candidate_version) == (FAILED, "")
        assert last.message == "the training process exited with code -9; the log has its output"
        assert not list((data / "models").iterdir())
        assert not list((data / "trainings").iterdir())
        shutil.rmtree(data / "models")
        (data / "models").write_text("in the way")
        started = await start_training(stubs, **TINY)
        last = (await ended(stubs, started.id))[-1]
        assert (last.id, last.state) == (2, FAILED)
        assert last.message == "internal error; the log has the details"
        (data / "models").unlink()
        started = await start_training(stubs, **TINY)
        assert started.id == 3
        assert [model.version for model in await models(stubs)] == [BUILT_IN]
        assert await live(stubs) == BUILT_IN


async def test_a_training_that_cannot_be_stored_does_not_begin(
    start_server: StartServer,
    tmp_path: Path,
    known: list[RecordedExperiment],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "kept"
    fill(data, known)
    app = await start_server(data=data, speed=0.1)
    monkeypatch.setattr(writer, "ANSWER_TIMEOUT_S", 0.5)
    async with called(app) as stubs:
        with closing(sqlite3.connect(data / "store.sqlite3")) as other:
            other.execute("BEGIN IMMEDIATE")
            code, reason, metadata = await refused(start_training(stubs, **TINY))
            assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            assert metadata == {"done": "false"}
        monkeypatch.undo()
        assert not trainers(data)
        assert (await start_training(stubs, **TINY)).id == 1


async def test_experiments_of_which_nothing_can_be_read_are_not_learned_from(
    start_server: StartServer,
    tmp_path: Path,
    known: list[RecordedExperiment],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "kept"
    fill(data, known[:2], packed=b"damaged")
    fill(data, known[2:3])

    def broken(*_: object) -> None:
        raise TypeError("no such column")

    app = await start_server(data=data)
    async with called(app) as stubs:
        started = await start_training(stubs, **TINY)
        monkeypatch.setattr(trainings, "save", broken)
        last = (await ended(stubs, started.id))[-1]
        assert last.state == FAILED
        assert "1 of 3 recorded ones can be used: damaged" in last.message
        assert await training(stubs) == last  # though it could not be written down
        command = (sre_edge, app.address, "train", "--wait", "--json")
        waited = await asyncio.to_thread(*command)
        assert waited.returncode == 1, waited.stderr
        lines = [json.loads(line) for line in waited.stdout.splitlines()]
        assert {one["id"] for one in lines} == {2}
        assert lines[-1]["state"] == "TRAINING_STATE_FAILED"
        assert "recorded ones can be used" in lines[-1]["message"]


async def test_a_live_model_that_was_damaged_is_named_and_not_where_it_lies(
    start_server: StartServer, tmp_path: Path, known: list[RecordedExperiment]
) -> None:
    fill(tmp_path, known)
    directory = another_model(tmp_path / "models" / "2-live", 20)
    app = await start_server(data=tmp_path)
    async with called(app) as stubs:
        await activate(stubs, read_manifest(directory).version)
        (directory / TREES).write_text("{}")
        started = await start_training(stubs, **TINY)
        last = (await ended(stubs, started.id))[-1]
        assert (last.state, last.message) == (
            FAILED, "trees.json: differs from what was trained",
        )  # fmt: skip


def test_a_model_does_not_grow_without_end(
    tmp_path: Path, known: list[RecordedExperiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for number, experiment in enumerate(known[:2]):
        recording = labelled(experiment.window)
        assert recording is not None
        path = tmp_path / f"{number}.npz"
        path.write_bytes(to_bytes(recording))
        files[str(number)] = str(path)
    trees = booster(SHIPPED).num_boosted_rounds()
    monkeypatch.setattr("ml.learning.candidate.MAX_TREES", trees)
    with pytest.raises(ContinueError, match=f"the live model has {trees} trees"):
        learn(Job(1, str(SHIPPED), str(tmp_path / "candidate"), files), lambda *_: None)
