"""`python -m dashboard`: its address, its manners towards strangers, its errors."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from dashboard.app import build
from dashboard.settings import Settings, SettingsError
from tests import processes
from tests.dashboard.fakes import FakeProvider, snapshot, state


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with processes.dashboard("127.0.0.1:1") as address:
        yield address


def answer(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as page:  # noqa: S310
            return int(page.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def test_it_answers_without_a_server(url: str) -> None:
    assert answer(url) == 200
    assert answer(f"{url}/_dash-layout") == 200
    assert answer(f"{url}/assets/style.css") == 200


def test_other_names_and_other_pages_are_refused(url: str) -> None:
    port = url.rpartition(":")[2]
    assert answer(url, Host=f"localhost:{port}") == 200
    assert answer(url, Host="evil.example") == 403
    assert answer(url, Host=f"evil.example:{port}") == 403
    assert answer(f"{url}/_dash-layout", Origin="http://evil.example") == 403
    assert answer(f"{url}/_dash-layout", Origin="null") == 403
    assert answer(f"{url}/_dash-layout", Origin=url) == 200


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
    assert f"{address} cannot be listened on (Address already in use)" in done.stderr
    assert "SRE_EDGE_DASHBOARD_LISTEN" in done.stderr


def test_off_loopback_needs_insecure() -> None:
    with pytest.raises(SettingsError, match="--insecure"):
        _ = Settings(listen="0.0.0.0:8050").address
    assert Settings(listen="0.0.0.0:8050", insecure=True).address == ("0.0.0.0", 8050)  # noqa: S104
    with pytest.raises(SettingsError, match="expected HOST:PORT"):
        _ = Settings(listen="nonsense").address


def test_a_page_can_be_built_on_a_fake_provider() -> None:
    assert build(FakeProvider(state(snapshot())), Settings())
