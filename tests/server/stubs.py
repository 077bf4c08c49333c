"""Stubs of all services on one channel, and what tests keep asking of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sre_edge.v1 import (
    chaos_service_pb2,
    chaos_service_pb2_grpc,
    fault_pb2,
    incident_service_pb2_grpc,
    prediction_service_pb2_grpc,
    simulation_service_pb2,
    simulation_service_pb2_grpc,
    snapshot_pb2,
    system_service_pb2_grpc,
)

SERVICES = ["api-gateway", "auth-service", "user-service", "database"]


sharing = pytest.mark.asyncio(loop_scope="module")
"""Marks a test that asks the server that a module shares, and leaves it as it was."""


class Stubs:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.simulation = simulation_service_pb2_grpc.SimulationServiceStub(channel)
        self.chaos = chaos_service_pb2_grpc.ChaosServiceStub(channel)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.incident = incident_service_pb2_grpc.IncidentServiceStub(channel)
        self.system = system_service_pb2_grpc.SystemServiceStub(channel)

    async def snapshot(self) -> snapshot_pb2.Snapshot:
        answer = await self.simulation.GetMetrics(simulation_service_pb2.GetMetricsRequest())
        return answer.snapshot

    async def inject(self, timeout: float | None = None, **fields: Any) -> fault_pb2.Fault:
        request = json_format.ParseDict(fields, chaos_service_pb2.InjectChaosRequest())
        return (await self.chaos.InjectChaos(request, timeout=timeout)).fault

    async def until(self, condition: Any, seconds: float = 20.0) -> snapshot_pb2.Snapshot:
        async with asyncio.timeout(seconds):
            while not condition(taken := await self.snapshot()):
                await asyncio.sleep(0.02)
        return taken


async def wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def news(stream: Any) -> Any:
    """Read the next message that is no heartbeat: those come whenever a machine is slow."""
    while (message := await stream.read()).WhichOneof("message") == "heartbeat":
        pass
    return message


async def drained(stream: Any) -> None:
    """Read until the stream ends with an error."""
    while True:
        await stream.read()


def reason(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str], list[str]]:
    """Reason, metadata and violated fields of an error."""
    info, bad = _details(error)
    return info.reason, dict(info.metadata), [v.field for v in bad.field_violations]


def violations(error: grpc.aio.AioRpcError) -> dict[str, str]:
    """What was expected of each violated field."""
    return {v.field: v.description for v in _details(error)[1].field_violations}


def _details(
    error: grpc.aio.AioRpcError,
) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]:
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)
    assert status is not None, error
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert info.domain == "sre-edge"
    return info, bad
