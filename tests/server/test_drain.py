"""SIGTERM: streams end and say why, calls that go on are answered, and the program is gone."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.systems.run import LiveRun
from sre_edge.v1 import incident_service_pb2, simulation_service_pb2
from tests.conftest import StartServer
from tests.processes import Program
from tests.server.stubs import Stubs, drained, reason, wait_for

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
Watch = health_pb2.HealthCheckRequest


async def test_a_program_with_open_streams_stops_when_it_is_told(tmp_path: Path) -> None:
    program = Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--data", str(tmp_path),
    )  # fmt: skip
    address = (await asyncio.to_thread(program.expect, r"grpc://(\S+)"))[1]
    async with grpc.aio.insecure_channel(address) as channel:
        calls = Stubs(channel)
        metrics = calls.simulation.StreamMetrics(simulation_service_pb2.StreamMetricsRequest())
        events = calls.incident.StreamEvents(incident_service_pb2.StreamEventsRequest())
        health = health_pb2_grpc.HealthStub(channel).Watch(Watch())
        await metrics.read()
        assert (await events.read()).HasField("position")
        assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
        stopped = asyncio.create_task(asyncio.to_thread(program.stop))
        assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        for stream in (metrics, events):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await drained(stream)
            assert (caught.value.code(), reason(caught.value)[0]) == (UNAVAILABLE, "SHUTTING_DOWN")
        assert await stopped == 0
    assert "Traceback" not in "".join(program.lines)


async def test_a_call_that_goes_on_is_answered_before_the_server_is_gone(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_server(speed=0.1)
    prepare, started, released = app.only.system.prepare, threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> LiveRun:
        started.set()
        released.wait(30.0)
        return prepare(*arguments)

    monkeypatch.setattr(app.only.system, "prepare", slowly)
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        resetting = calls.simulation.Reset(simulation_service_pb2.ResetRequest(seed=7))
        await wait_for(started.is_set)
        stream = calls.simulation.StreamMetrics(simulation_service_pb2.StreamMetricsRequest())
        await stream.read()
        stopping = asyncio.create_task(app.stop())
        with pytest.raises(grpc.aio.AioRpcError):
            await drained(stream)
        released.set()
        assert (await resetting).run_id
        await stopping
