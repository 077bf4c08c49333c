"""The HTTP port by itself: slow clients, slow and failing scrapes, and in which form it answers."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.credentials import certificates
from server.settings import Settings
from server.web.port import HttpPort
from tests.certificates import Authority

Open = Callable[..., HttpPort]
TIMEOUT_S = 10.0


async def serving() -> bool:
    return True


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def opened(registry: CollectorRegistry) -> Iterator[Open]:
    """Open ports that are closed in the end."""
    ports: list[HttpPort] = []

    def opening(**stated: Path) -> HttpPort:
        settings = Settings(metrics_listen="127.0.0.1:0", **stated)
        ports.append(HttpPort(settings, registry, serving, certificates(settings), None))
        return ports[-1]

    yield opening
    for port in ports:
        port.close()


def connected(port: HttpPort, sent: bytes, receive_buffer: int = 0) -> socket.socket:
    """Connect to a port, and send something."""
    host, _, number = port.address.rpartition(":")
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(TIMEOUT_S)
    connection.connect((host, int(number)))
    connection.sendall(sent)
    return connection


def read(port: HttpPort, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(f"http://{port.address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as page:  # noqa: S310
            return page.status, dict(page.headers), page.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


class Held(Collector):
    """A metric that takes as long as a test wants, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.at_once, self.most_at_once = 0, 0, 0
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def collect(self) -> Iterator[Metric]:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        assert self.goes_on.wait(TIMEOUT_S)
        self.at_once -= 1
        yield GaugeMetricFamily("held", "Held.", value=1.0)

    def describe(self) -> list[Metric]:
        return [GaugeMetricFamily("held", "Held.")]


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_has_its_time(
    opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: bool
) -> None:
    monkeypatch.setattr("server.web.port.MAX_CONNECTION_S", 0.3)
    cert, key = Authority(tmp_path).issue("edge")
    port = opened(**({"tls_cert": cert, "tls_key": key} if tls else {}))
    openings = (b"", b"GET /healthz HTTP/1.1\r\n", b"\x16\x03\x01")
    for connection in [connected(port, sent) for sent in openings]:
        with connection, contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass
    assert not port.connections


def test_who_asks_and_does_not_read_holds_up_neither_others_nor_the_stop(
    opened: Open, registry: CollectorRegistry
) -> None:
    large = Gauge("large", "Large.", ["name"], registry=registry)
    for number in range(5_000):
        large.labels(f"{number:04000}").set(1.0)
    port = opened()
    stalled = [connected(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 4096) for _ in range(3)]
    assert len(read(port, "/metrics")[2]) > 20_000_000
    assert port.connections == 3
    closing = threading.Thread(target=port.close)
    closing.start()
    closing.join(2.0)
    assert not closing.is_alive()
    assert not port.connections
    for connection in stalled:
        connection.close()


async def test_health_is_quick_while_scrapes_wait_for_their_turn(
    opened: Open, registry: CollectorRegistry
) -> None:
    held = Held()
    registry.register(held)
    port = opened()
    try:
        scrapes = [asyncio.create_task(asyncio.to_thread(read, port, "/metrics")) for _ in range(3)]
        assert await asyncio.to_thread(held.begun.wait, TIMEOUT_S)
        assert (await asyncio.to_thread(read, port, "/healthz"))[0] == 200
        assert not any(scrape.done() for scrape in scrapes)
    finally:
        held.goes_on.set()
    assert all(status == 200 for status, _, _ in await asyncio.gather(*scrapes))
    assert (held.asked, held.most_at_once) == (3, 1)


async def test_health_is_quick_while_a_scrape_is_compressed(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def compress(text: bytes) -> bytes:
        begun.set()
        assert may_end.wait(TIMEOUT_S)
        return text

    monkeypatch.setattr(gzip, "compress", compress)
    port = opened()
    scrape = asyncio.to_thread(read, port, "/metrics", **{"Accept-Encoding": "gzip"})
    scraping = asyncio.create_task(scrape)
    assert await asyncio.to_thread(begun.wait, TIMEOUT_S)
    status, _, text = await asyncio.to_thread(read, port, "/healthz")
    assert (status, text, scraping.done()) == (200, b"OK\n", False)
    may_end.set()
    assert (await scraping)[0] == 200


def test_nobody_scrapes_for_a_client_that_went_away(
    opened: Open, registry: CollectorRegistry
) -> None:
    held = Held()
    registry.register(held)
    port = opened()
    request = b"GET /metrics HTTP/1.0\r\n\r\n"
    with connected(port, request) as first:
        assert held.begun.wait(TIMEOUT_S)
        gone = [connected(port, request) for _ in range(5)]
        assert read(port, "/healthz")[0] == 200  # so they have been accepted
        for connection in gone:
            connection.close()
        assert read(port, "/healthz")[0] == 200
        held.goes_on.set()
        while first.recv(65_536):
            pass
    assert read(port, "/metrics")[0] == 200
    assert held.asked == 2


def test_what_breaks_inside_is_logged_and_stays_inside(
    opened: Open, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Held):
        def collect(self) -> Iterator[Metric]:
            raise ValueError("the secret of the house")

    registry.register(Broken())
    port = opened()
    with caplog.at_level(logging.ERROR):
        status, _, body = read(port, "/metrics")
        port.close()
    assert (status, body) == (500, b"Internal Server Error")
    assert "the secret of the house" in caplog.text


def test_probes_and_bad_requests_are_no_events(
    opened: Open, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        port = opened()
        assert read(port, "/healthz")[0] == 200
        with connected(port, b"nonsense\r\n\r\n") as connection:
            assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
        with connected(
            port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
        ) as connection:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        port.close()
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]
    assert capfd.readouterr() == ("", "")


def test_scrapes_are_compressed_in_the_format_and_of_the_names_that_are_asked_for(
    opened: Open, registry: CollectorRegistry
) -> None:
    for name in ("first", "second"):
        Gauge(name, "A gauge. " * 100, registry=registry).set(1.0)
    port = opened()
    status, headers, plain = read(port, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"\nfirst 1.0\n" in plain
    assert b"\nsecond 1.0\n" in plain
    _, headers, packed = read(port, "/metrics", **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
    _, headers, text = read(port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n")
    _, _, one = read(port, "/metrics?name[]=first")
    assert b"\nfirst 1.0\n" in one
    assert b"second" not in one
    assert read(port, "/elsewhere")[0] == 404
