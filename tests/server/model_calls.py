"""Calls about models and trainings, as tests make them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from ml.serving.artefact import SHIPPED, read_manifest
from server.app import App
from sre_edge.v1 import model_pb2, training_pb2
from sre_edge.v1 import prediction_service_pb2 as pb
from tests.server.stubs import Stubs, reason

BUILT_IN = read_manifest(SHIPPED).version
RUNNING = training_pb2.TRAINING_STATE_RUNNING


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
    progress = [await training(stubs, number)]
    while progress[-1].state == RUNNING:
        await asyncio.sleep(0.2)
        progress.append(await training(stubs, number))
    return progress


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
