"""`kill -9` in the middle of everything, and a start on what is left."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path

import pytest

from sre_edge import Client, SreEdgeError
from tests.processes import Program


def started(data: Path) -> tuple[Program, str]:
    program = Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--speed", "100", "--data", str(data),
    )  # fmt: skip
    return program, program.expect(r"grpc://(\S+)")[1]


def busy(address: str, stopping: threading.Event) -> None:
    """Begin and end faults as fast as it goes, until the server is gone."""
    with Client(address, timeout_s=2.0) as client, contextlib.suppress(SreEdgeError):
        while not stopping.is_set():
            fault = client.inject("database", "service_kill", duration_s=4)
            client.inject("api-gateway", "traffic_surge", duration_s=6)
            client.stop(fault.id)


@pytest.mark.parametrize("after_s", [0.3, 1.5])
def test_a_killed_server_starts_again_on_the_same_data(tmp_path: Path, after_s: float) -> None:
    for _ in range(2):
        program, address = started(tmp_path)
        stopping = threading.Event()
        callers = [threading.Thread(target=busy, args=(address, stopping)) for _ in range(3)]
        for caller in callers:
            caller.start()
        stopping.wait(after_s)
        program.process.send_signal(signal.SIGKILL)
        stopping.set()
        for caller in callers:
            caller.join(30)
        assert program.stop() == -signal.SIGKILL
    program, address = started(tmp_path)
    with Client(address) as client:
        before = client.metrics().cursor
        assert not client.metrics().active_faults
        assert client.inject("database", "cpu_spike", duration_s=10).id
        assert client.metrics().cursor.run_id == before.run_id
    assert program.stop() == 0
    assert "Traceback" not in "".join(program.lines)
