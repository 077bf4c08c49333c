"""`python -m dashboard`: its address, its manners towards strangers, its errors."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from dashboard.app import build
from dashboard.security import MAX_BODY_BYTES
from dashboard.settings import Settings, SettingsError
from tests import processes
from tests.dashboard.fakes import FakeProvider, snapshot, state


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with processes.dashboard("127.0.0.1:1") as address:
        yield address


def answer(url: str, body: bytes | None = None, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, headers=named)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as page:  # noqa: S310
            return int(page.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def test_it_answers_without_a_server(url: str) -> None:
    assert answer(url) == 200
    assert answer(f"{url}/_dash-layout") == 200
    assert answer(f"{url}/assets/1-tokens.css") == 200


def test_other_names_and_other_pages_are_refused(url: str) -> None:
    port = url.rpartition(":")[2]
    assert answer(url, Host=f"localhost:{port}") == 200
    assert answer(url, Host="evil.example") == 403
    assert answer(url, Host=f"evil.example:{port}") == 403
    assert answer(f"{url}/_dash-layout", Origin="http://evil.example") == 403
    assert answer(f"{url}/_dash-layout", Origin="null") == 403
    assert answer(f"{url}/_dash-layout", Origin=url) == 200


def test_bodies_say_their_length_and_are_not_large(url: str) -> None:
    action = "/_dash-update-component"
    assert answer(f"{url}{action}", b"{}", Content_Type="application/json") != 413
    # Refused by its headers: the body is not waited for, and does not come.
    for name, value in (
        ("Content-Length", str(MAX_BODY_BYTES + 1)),
        ("Transfer-Encoding", "chunked"),
    ):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        connection.putrequest("POST", action)
        connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
    assert answer(url) == 200


def test_answers_carry_security_headers_and_name_no_other_host(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310 - loopback
        headers, text = page.headers, page.read().decode()
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in script
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "://" not in text.replace("http://www.w3.org", "")


def test_the_socket_is_for_pages_of_this_dashboard_only(url: str) -> None:
    live = url.replace("http", "ws") + "/live"
    with connect(live, origin=Origin(url)) as socket:
        socket.send("/chaos?service=database")
        parts = json.loads(socket.recv(timeout=10))
        assert parts["page"]["view"] == "chaos"
        assert "No connection to the server" in json.dumps(parts["notices"])
        socket.send("/" + "x" * 10_000)  # too long to be an address: ignored
        socket.send("/predictions")
        while "page" not in (parts := json.loads(socket.recv(timeout=10))):
            pass
        assert parts["page"]["view"] == "predictions"
    for address, origin in (
        (live, "http://evil.example"),
        (f"{url}/other".replace("http", "ws"), url),
    ):
        with pytest.raises(InvalidStatus):
            connect(address, origin=Origin(origin)).__enter__()


def test_the_port_in_use_is_said_with_the_setting_that_changes_it() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "dashboard", "--listen", address],
            capture_output=True, text=True, timeout=60, env=processes.QUIET, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"cannot listen on {address} (Address already in use)" in done.stderr
    assert "SRE_EDGE_DASHBOARD_LISTEN" in done.stderr


def test_off_loopback_needs_insecure() -> None:
    with pytest.raises(SettingsError, match="--insecure"):
        _ = Settings(listen="0.0.0.0:8050").address
    assert Settings(listen="0.0.0.0:8050", insecure=True).address == ("0.0.0.0", 8050)  # noqa: S104
    with pytest.raises(SettingsError, match="expected HOST:PORT"):
        _ = Settings(listen="nonsense").address


def test_a_page_can_be_built_on_a_fake_provider() -> None:
    assert build(FakeProvider(state(snapshot())), Settings())
