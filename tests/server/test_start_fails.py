"""A start that fails leaves nothing open: no thread, no port, no lock."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from server.settings import SettingsError
from tests.conftest import StartServer
from tests.processes import free_port
from tests.server.stubs import wait_for

OWN = ("tick", "store writer", "stop", "open", "examples")


def own_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith(OWN)]


@pytest.mark.parametrize("taken", ["listen", "metrics_listen"])
async def test_a_port_that_is_taken_leaves_nothing_open(
    start_server: StartServer, tmp_path: Path, taken: str
) -> None:
    data, before = tmp_path / "data", own_threads()
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("listen", "metrics_listen")}
    host, _, port = addresses[taken].rpartition(":")
    with socket.socket() as listening:
        listening.bind((host, int(port)))
        listening.listen()
        with pytest.raises(SettingsError, match="cannot listen"):
            await start_server(data=data, **addresses)
    await wait_for(lambda: own_threads() == before)
    app = await start_server(data=data, **addresses)  # the lock and both ports are free again
    assert app.only.system.latest
