"""The API as others find it: every call by reflection, health for each service."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.app import App
from tests.server import generated
from tests.server.stubs import Stubs, sharing

PROTOS = Path(__file__).resolve().parents[2] / "protos" / "sre_edge" / "v1"
CALLS = {
    re.findall(r"^service (\w+)", text, re.MULTILINE)[0]: set(
        re.findall(r"^  rpc (\w+)", text, re.M)
    )
    for text in (path.read_text() for path in PROTOS.glob("*_service.proto"))
}
"""As the protos have them, not as the stubs do; `buf breaking` sees to it that none goes."""


async def test_reflection_shows_every_call_and_each_list_has_pages(app: App) -> None:
    def reflected() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        with grpc.insecure_channel(app.address) as channel:
            for method in generated.methods(channel):
                found.setdefault(method.containing_service.name, set()).add(method.name)
                if method.name.startswith("List"):
                    assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
                    assert "next_page_token" in method.output_type.fields_by_name
        return found

    assert await asyncio.to_thread(reflected) == CALLS
    assert sum(map(len, CALLS.values())) >= 25


@pytest.mark.parametrize("name", ["", *(f"sre_edge.v1.{service}" for service in CALLS)])
async def test_each_service_is_healthy_until_the_server_stops(
    app: App, stubs: Stubs, name: str
) -> None:
    request = health_pb2.HealthCheckRequest(service=name)
    watched = health_pb2_grpc.HealthStub(stubs.channel).Watch(request)
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
    stopping = asyncio.create_task(app.stop())
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watched.cancel()
    await stopping


@sharing
async def test_a_service_that_is_not_there_is_said(shared: Stubs) -> None:
    request = health_pb2.HealthCheckRequest(service="sre_edge.v1.NoSuchService")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health_pb2_grpc.HealthStub(shared.channel).Check(request)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
