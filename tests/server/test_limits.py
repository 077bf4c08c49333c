"""How much may go on at a time, and that the next one is told so."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.app import App
from server.rpc import health_service
from sre_edge.v1 import simulation_service_pb2 as pb
from tests.conftest import StartServer
from tests.server.model_calls import until
from tests.server.stubs import Stubs, reason

OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


async def test_calls_are_limited_and_the_server_goes_on(start_server: StartServer) -> None:
    app = await start_server(max_calls=3)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        answers = await asyncio.gather(
            *(stubs.simulation.Reset(pb.ResetRequest()) for _ in range(10)),
            return_exceptions=True,
        )
        refused = [a for a in answers if isinstance(a, grpc.aio.AioRpcError)]
        assert len(refused) == 7
        for error in refused:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert reason(error)[:2] == ("TOO_MANY_CALLS", {"limit": "3"})
        assert await stubs.snapshot()


async def test_streams_of_one_connection_are_limited(start_server: StartServer) -> None:
    app = await start_server(max_streams_per_connection=2)
    async with (
        grpc.aio.insecure_channel(app.address) as one,
        grpc.aio.insecure_channel(app.address, options=OWN_CONNECTION) as other,
    ):  # fmt: skip
        open_streams = []
        for channel in (one, one, other):
            stream = Stubs(channel).simulation.StreamMetrics(pb.StreamMetricsRequest())
            await stream.read()
            open_streams.append(stream)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Stubs(one).simulation.StreamMetrics(pb.StreamMetricsRequest()).read()
        assert reason(caught.value)[:2] == ("TOO_MANY_STREAMS", {"limit": "2"})
        for stream in open_streams:
            stream.cancel()


@pytest.mark.parametrize("limit", ["MAX_WATCHERS", "MAX_PER_CONNECTION"])
async def test_those_who_watch_the_health_are_limited(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(health_service, limit, 2)
    app = await start_server()
    async with grpc.aio.insecure_channel(app.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def watch() -> Any:
            stream = health.Watch(health_pb2.HealthCheckRequest())
            assert (await stream.read()).status == health_pb2.HealthCheckResponse.SERVING
            return stream

        watching = [await watch() for _ in range(2)]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch()
        assert reason(caught.value)[:2] == ("TOO_MANY_STREAMS", {"limit": "2"})
        assert await health.Check(health_pb2.HealthCheckRequest())
        watching[0].cancel()
        await until(lambda: app.health.watchers == 1)
        watching[0] = await watch()
        for stream in watching:
            stream.cancel()


async def test_a_watcher_of_the_health_that_does_not_read_holds_nobody_up(
    start_server: StartServer,
) -> None:
    app = await start_server()
    stalled = await stalled_watcher(app)
    async with grpc.aio.insecure_channel(app.address) as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        async with asyncio.timeout(5):
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        assert app.health.watchers == 2
        stopping = asyncio.create_task(app.stop())
        async with asyncio.timeout(15):
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            await stopping
    stalled.close()


async def test_a_watcher_of_the_health_that_does_not_read_is_ended(
    start_server: StartServer,
) -> None:
    app = await start_server(write_timeout_s=1.0)
    stalled = await stalled_watcher(app)
    await until(lambda: not app.health.watchers)
    stalled.close()


async def stalled_watcher(app: App) -> asyncio.StreamWriter:
    """Watch the health over a connection that lets nothing through."""
    host, port = app.address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    fields = {
        ":method": "POST", ":scheme": "http", ":path": "/grpc.health.v1.Health/Watch",
        ":authority": "x", "content-type": "application/grpc", "te": "trailers",
    }  # fmt: skip
    headers = b"".join(
        b"\0%c%b%c%b" % (len(name), name.encode(), len(value), value.encode())
        for name, value in fields.items()
    )
    no_window = b"\x00\x04" + bytes(4)  # SETTINGS_INITIAL_WINDOW_SIZE is 0
    frames = ((4, 0, 0, no_window), (1, 4, 1, headers), (0, 1, 1, bytes(5)))
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for kind, flags, stream, payload in frames:
        writer.write(len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload)
    await writer.drain()
    await until(lambda: app.health.watchers)
    return writer


async def test_connections_to_the_http_port_are_limited(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.web.port.MAX_CONNECTIONS", 3)
    app = await start_server()
    host, port = app.metrics_address.split(":")

    async def answer() -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()

    idle = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
    assert b"200 OK" in await answer()
    assert await asyncio.wait_for(idle[0][0].read(), 5) == b""  # the oldest gave way, at once
    for _, writer in idle:
        writer.close()


async def test_a_scrape_for_which_there_is_no_thread_leaves_room_for_others(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_server()
    begin, failed = ThreadPoolExecutor.submit, []

    def once(executor: Any, *work: Any) -> Any:
        if not failed and threading.current_thread().name == "http":
            failed.append(work)
            raise RuntimeError("can't start new thread")
        return begin(executor, *work)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", once)
    url = f"http://{app.metrics_address}/metrics"
    with pytest.raises(urllib.error.HTTPError) as caught:
        await asyncio.to_thread(urllib.request.urlopen, url, timeout=10)
    with caught.value as page:
        assert (page.code, page.read()) == (500, b"Internal Server Error")
    with await asyncio.to_thread(urllib.request.urlopen, url, timeout=10) as page:
        assert page.status == 200
    assert failed
    await until(lambda: not app._http.connections)


async def test_a_connection_that_could_not_be_accepted_is_accepted_later(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_server()
    begin, failed = socket.socket.accept, []

    def once(listening: socket.socket) -> Any:
        if not failed:
            failed.append(listening)
            raise OSError(errno.EMFILE, "Too many open files")
        return begin(listening)

    monkeypatch.setattr(socket.socket, "accept", once)
    url = f"http://{app.metrics_address}/healthz"
    with await asyncio.to_thread(urllib.request.urlopen, url, timeout=10) as page:
        assert page.status == 200
    assert failed
    await until(lambda: not app._http.connections)


async def test_a_stuck_server_says_so_on_the_http_port(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.app.HEALTH_TIMEOUT_S", 0.2)

    def status() -> int:
        try:
            with urllib.request.urlopen(
                f"http://{app.metrics_address}/healthz", timeout=10
            ) as page:
                return int(page.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert await asyncio.to_thread(status) == 200
    asked = asyncio.get_running_loop().run_in_executor(None, status)
    time.sleep(1.0)
    assert await asked == 503
    assert await asyncio.to_thread(status) == 200


async def test_a_message_that_is_too_large_is_refused(stubs: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.simulation.Reset(pb.ResetRequest(topology="x" * (33 << 20)))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await stubs.snapshot()
