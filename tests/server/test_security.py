"""TLS, certificates that change, client certificates, and the token."""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION

from server import credentials
from server.app import App
from server.errors import Reason
from server.settings import Settings, SettingsError
from sre_edge.v1 import simulation_service_pb2 as pb
from tests.certificates import Authority
from tests.conftest import StartServer
from tests.server.stubs import Stubs, reason

TOKEN = "correct-horse-battery"  # noqa: S105
BEARER = (("authorization", f"Bearer {TOKEN}"),)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def secure(
    app: App, authority: Authority, key: Path | None = None, chain: Path | None = None
) -> grpc.aio.Channel:
    trusted = grpc.ssl_channel_credentials(
        authority.certificate.read_bytes(),
        key.read_bytes() if key else None,
        chain.read_bytes() if chain else None,
    )
    return grpc.aio.secure_channel(app.address, trusted)


async def test_traffic_is_encrypted_and_the_server_shows_who_it_is(
    start_server: StartServer, authority: Authority, tmp_path: Path
) -> None:
    cert, key = authority.issue("edge")
    app = await start_server(tls_cert=cert, tls_key=key)
    async with secure(app, authority) as channel:
        assert len((await Stubs(channel).snapshot()).services) == 4
    (tmp_path / "other").mkdir()
    for channel in (
        secure(app, Authority(tmp_path / "other")),
        grpc.aio.insecure_channel(app.address),
    ):
        async with channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await Stubs(channel).snapshot()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_is_replaced_without_a_restart(
    start_server: StartServer, authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(credentials, "CHECK_EVERY_S", 0.0)
    cert, key = authority.issue("before", file="server")
    app = await start_server(tls_cert=cert, tls_key=key)

    def shown(address: str = app.address) -> str:
        host, _, port = address.rpartition(":")
        return ssl.get_server_certificate((host, int(port)))

    first = await asyncio.to_thread(shown)
    async with secure(app, authority) as channel:
        stream = Stubs(channel).simulation.StreamMetrics(pb.StreamMetricsRequest())
        await stream.read()
        key.write_text("not a key")  # half of a replacement is no replacement
        assert await asyncio.to_thread(shown) == first
        assert await asyncio.to_thread(shown, app.metrics_address) == first
        authority.issue("after", file="server")
        second = await asyncio.to_thread(shown)
        assert second != first
        assert second.strip() in cert.read_text()
        assert await asyncio.to_thread(shown, app.metrics_address) == second
        await stream.read()  # who is connected stays so
        stream.cancel()
    context = ssl.create_default_context(cafile=str(authority.certificate))
    url = f"https://{app.metrics_address}/healthz"
    with await asyncio.to_thread(urllib.request.urlopen, url, context=context, timeout=10) as page:
        assert page.status == 200


async def test_clients_need_a_certificate_with_mutual_tls(
    start_server: StartServer, authority: Authority, tmp_path: Path
) -> None:
    cert, key = authority.issue("edge")
    app = await start_server(tls_cert=cert, tls_key=key, client_ca=authority.certificate)
    chain, own = authority.issue("client")
    async with secure(app, authority, own, chain) as channel:
        assert await Stubs(channel).snapshot()
    (tmp_path / "other").mkdir()
    strange_chain, strange = Authority(tmp_path / "other").issue("client")
    for pair in ((None, None), (strange, strange_chain)):
        async with secure(app, authority, *pair) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await Stubs(channel).snapshot()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", TOKEN),),
        (("authorization", f"Bearer {TOKEN}x"),),
        (("authorization", f"Basic {TOKEN}"),),
        (("authorization", "Bearer "),),
        (("authorization-bin", f"Bearer {TOKEN}".encode()),),
    ],
)
async def test_without_the_token_nothing_but_health_answers(
    start_server: StartServer, token_file: Path, metadata: tuple[tuple[str, str | bytes], ...]
) -> None:
    app = await start_server(token_file=token_file)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        # As a call of one request: what a client sends after it is refused fails by itself.
        reflection = channel.unary_stream(f"/{REFLECTION}/ServerReflectionInfo")
        for call in (
            stubs.simulation.GetMetrics(pb.GetMetricsRequest(), metadata=metadata),
            stubs.simulation.Reset(pb.ResetRequest(), metadata=metadata),
            stubs.simulation.StreamMetrics(pb.StreamMetricsRequest(), metadata=metadata).read(),
            reflection(b"", metadata=metadata).read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
            assert reason(caught.value)[0] == Reason.UNAUTHENTICATED.name
            assert TOKEN not in caught.value.details()
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(), metadata=metadata)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_with_the_token_everything_answers_and_a_new_one_counts_at_once(
    start_server: StartServer, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "CHECK_EVERY_S", 0.0)
    app = await start_server(token_file=token_file)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        assert await stubs.simulation.GetMetrics(pb.GetMetricsRequest(), metadata=BEARER)
        stream = stubs.simulation.StreamMetrics(pb.StreamMetricsRequest(), metadata=BEARER)
        assert (await stream.read()).HasField("snapshot")
        stream.cancel()
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        listed = await reflection.ServerReflectionInfo(iter([request]), metadata=BEARER).read()
        assert listed.list_services_response.service
        token_file.write_text("another-horse-battery")
        with pytest.raises(grpc.aio.AioRpcError):
            await stubs.simulation.GetMetrics(pb.GetMetricsRequest(), metadata=BEARER)


async def test_metrics_need_the_token_and_health_does_not(
    start_server: StartServer, token_file: Path
) -> None:
    app = await start_server(token_file=token_file)

    def status(path: str, **headers: str) -> int:
        request = urllib.request.Request(f"http://{app.metrics_address}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as page:  # noqa: S310
                return int(page.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert await asyncio.to_thread(status, "/metrics") == 401
    assert await asyncio.to_thread(status, "/metrics", Authorization="Bearer wrong") == 401
    assert await asyncio.to_thread(status, "/metrics", Authorization=f"Bearer {TOKEN}") == 200
    assert await asyncio.to_thread(status, "/healthz") == 200
    assert await asyncio.to_thread(status, "/elsewhere") == 404


async def test_a_client_that_does_not_speak_tls_holds_nobody_up(
    start_server: StartServer, authority: Authority
) -> None:
    cert, key = authority.issue("edge")
    app = await start_server(tls_cert=cert, tls_key=key)
    host, _, port = app.metrics_address.rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(5)]
    silent[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    url = f"https://{app.metrics_address}/metrics"
    with await asyncio.to_thread(urllib.request.urlopen, url, context=context, timeout=10) as page:
        assert page.status == 200
    for connection in silent:
        connection.close()


async def test_the_oldest_connection_gives_way_with_tls_too(
    start_server: StartServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.web.port.MAX_CONNECTIONS", 3)
    cert, key = authority.issue("edge")
    app = await start_server(tls_cert=cert, tls_key=key)
    host, _, port = app.metrics_address.rpartition(":")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    idle = [await asyncio.open_connection(host, int(port), ssl=context) for _ in range(3)]
    url = f"https://{app.metrics_address}/healthz"
    with await asyncio.to_thread(urllib.request.urlopen, url, context=context, timeout=10) as page:
        assert page.status == 200
    # It would have 10 s.
    assert await asyncio.wait_for(idle[0][0].read(), 5) == b""
    for _, writer in idle:
        writer.close()


def files(authority: Authority, token_file: Path) -> dict[str, Path]:
    cert, key = authority.issue("edge")
    return {"tls_cert": cert, "tls_key": key, "token_file": token_file}


def test_off_loopback_needs_tls_and_a_token_or_insecure(
    authority: Authority, token_file: Path
) -> None:
    protected = files(authority, token_file)
    for addresses in ({"listen": "0.0.0.0:0"}, {"metrics_listen": "[::]:0"}):
        Settings(**addresses, **protected).check()
        Settings(**addresses, insecure=True).check()
        for missing in protected:
            rest = {name: path for name, path in protected.items() if name != missing}
            with pytest.raises(SettingsError):
                Settings(**addresses, **rest).check()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tls_key": None}, "together"),
        ({"tls_cert": None, "tls_key": None, "client_ca": "ca"}, "SRE_EDGE_CLIENT_CA"),
        ({"tls_key": "token"}, "expected matching PEM files"),
        ({"tls_cert": "nowhere"}, "expected matching PEM files"),
        ({"client_ca": "token"}, "SRE_EDGE_CLIENT_CA"),
        ({"token_file": "nowhere"}, "SRE_EDGE_TOKEN_FILE"),
        ({"token_file": "short"}, "at least 16 characters"),
    ],
)
async def test_files_that_cannot_be_used_are_said_at_the_start(
    authority: Authority, token_file: Path, tmp_path: Path, start_server: StartServer,
    change: dict[str, str | None], expected: str,
) -> None:  # fmt: skip
    (tmp_path / "short").write_text("short")
    stated = {name: value and tmp_path / value for name, value in change.items()}
    with pytest.raises(SettingsError, match=expected) as caught:
        await start_server(**{**files(authority, token_file), **stated})
    assert TOKEN not in str(caught.value)


def test_a_key_with_a_passphrase_is_said_and_nobody_is_asked(
    authority: Authority, tmp_path: Path
) -> None:
    cert, key = authority.issue("edge")
    locked = tmp_path / "locked"
    authority.lock(key, locked)
    with pytest.raises(SettingsError, match="expected matching PEM files"):
        credentials.certificates(Settings(tls_cert=cert, tls_key=locked))
