"""`sre-edge up` and grpcurl, as the README shows them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_edge import Client
from tests import processes
from tests.conftest import tool

FREE = {
    "SRE_EDGE_LISTEN": "127.0.0.1:0",
    "SRE_EDGE_METRICS_LISTEN": "127.0.0.1:0",
    "SRE_EDGE_DASHBOARD_LISTEN": "127.0.0.1:0",
}
UP = ("-c", "from sre_edge.cli import main; main()", "up")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_starts_both_says_where_and_stops_both(number: signal.Signals) -> None:
    address = f"127.0.0.1:{processes.free_port()}"
    program = processes.Program(*UP, **{**FREE, "SRE_EDGE_LISTEN": address})
    program.expect(rf"server +grpc://{address}")
    program.expect(r"dashboard +http://127\.0\.0\.1:\d+")
    with Client(address) as client:
        assert client.topology().name == "default"
    assert program.stop(number) == 0
    text = "".join(program.lines)
    assert "stopped" in text
    assert "Traceback" not in text
    with socket.socket() as probing:  # the port is free again
        host, _, port = address.rpartition(":")
        probing.bind((host, int(port)))


@pytest.mark.parametrize("variable", sorted(FREE))
def test_up_says_which_port_is_in_use_and_leaves_nothing_running(variable: str) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        program = processes.Program(*UP, **{**FREE, variable: address})
        assert program.process.wait(60) == 2
        program.expect(rf"cannot listen on {address} \(Address already in use\).*{variable}")
        program.stop()


def test_up_starts_its_own_parts_whatever_lies_in_the_working_directory(tmp_path: Path) -> None:
    for part in ("server", "dashboard"):
        (tmp_path / f"{part}.py").write_text("raise SystemExit('of another program')\n")
    program = processes.Program(*UP, directory=tmp_path, **FREE)
    program.expect(r"server +grpc://")
    program.expect(r"dashboard +http://")
    assert program.stop() == 0


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with processes.server() as address:
        yield address


def grpcurl(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    *options, method = arguments
    return subprocess.run(
        [tool("grpcurl"), "-plaintext", *options, target, method],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_grpcurl_lists_calls_and_streams(target: str) -> None:
    listed = grpcurl(target, "list").stdout.split()
    assert "sre_edge.v1.SimulationService" in listed
    health = json.loads(grpcurl(target, "grpc.health.v1.Health/Check").stdout)
    assert health == {"status": "SERVING"}
    request = '{"target":"database","kind":"FAULT_KIND_CPU_SPIKE","duration":"30s"}'
    fault = grpcurl(target, "-d", request, "sre_edge.v1.ChaosService/InjectChaos")
    assert json.loads(fault.stdout)["fault"]["target"] == "database"
    predicted = grpcurl(
        target, "-d", '{"services":["database"]}', "sre_edge.v1.PredictionService/Predict"
    )
    assert json.loads(predicted.stdout)["predictions"][0]["service"] == "database"
    streamed = grpcurl(target, "-max-time", "2", "sre_edge.v1.SimulationService/StreamMetrics")
    assert streamed.stdout.count('"snapshot"') >= 3
    assert "run_id" in json.loads(grpcurl(target, "sre_edge.v1.SimulationService/Reset").stdout)


def test_grpcurl_shows_errors_with_their_reason(target: str) -> None:
    request = '{"target":"databse","kind":"FAULT_KIND_CPU_SPIKE","duration":"30s"}'
    done = grpcurl(target, "-d", request, "sre_edge.v1.ChaosService/InjectChaos")
    assert done.returncode != 0
    assert "Code: NotFound" in done.stderr
    assert "UNKNOWN_SERVICE" in done.stderr
    assert "known: api-gateway" in done.stderr
