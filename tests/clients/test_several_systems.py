"""Two simulated systems and a recording in one server, by grpcurl, command line and each client."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sre_edge import AsyncClient, Client, Refused
from sre_edge.v1 import system_pb2
from tests.clients import programs
from tests.conftest import tool
from tests.processes import Program, sre_edge
from tests.telemetry.recordings import files

SYSTEMS = """
systems:
  - id: shop
    source: {kind: simulation, topology: boutique}
    default: true
  - id: rehearsal
    source: {kind: simulation}
  - id: outage
    source: {kind: recording, path: outage}
"""
ENTRIES = {"shop": "frontend", "rehearsal": "api-gateway", "outage": "edge"}
"""The first service of each system."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("systems")
    rows = [files.ROWS[0]] + [
        f"{2 * k},{name},{40 + k % 3},0" for k in range(900) for name in ("edge", "store")
    ]
    files.recording(folder / "outage", rows, meta=files.META + "backfill_s: 80\n")
    (folder / "systems.yaml").write_text(SYSTEMS)
    program = Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--systems", str(folder / "systems.yaml"),
    )  # fmt: skip
    yield program.expect(r"grpc://(\S+)")[1]
    assert program.stop() == 0


def test_by_both_clients_for_python(server: str) -> None:
    def with_threads(system: str) -> tuple[str, float]:
        with Client(server, system=system) as client:
            assert client.system().id == (system or "shop")
            answer = client.predict()
            return client.metrics().system_id, answer.predictions[0].incident_probability

    async def with_asyncio(system: str) -> str:
        async with AsyncClient(server, system=system) as client:
            return (await client.topology()).services[0].name

    for system, entry in ENTRIES.items():
        named, probability = with_threads(system)
        assert named == system
        assert 0.0 <= probability <= 1.0
        assert asyncio.run(with_asyncio(system)) == entry
    assert with_threads("")[0] == "shop"
    with Client(server, system="outage") as client, pytest.raises(Refused) as refused:
        client.inject("store", "cpu_spike", duration_s=10)
    assert refused.value.reason == "NOT_SUPPORTED_BY_SOURCE"


def test_by_the_command_line(server: str) -> None:
    listed = [
        json.loads(line) for line in sre_edge(server, "systems", "--json").stdout.splitlines()
    ]
    assert {one["id"]: one["source"] for one in listed} == {
        "shop": "SOURCE_KIND_SIMULATION",
        "rehearsal": "SOURCE_KIND_SIMULATION",
        "outage": "SOURCE_KIND_RECORDING",
    }
    for system, entry in ENTRIES.items():
        done = sre_edge(server, "predict", "--system", system)
        assert entry in done.stdout, done.stderr
        watched = sre_edge(server, "watch", "--count", "2", "--json", "--system", system)
        assert [json.loads(line)["system_id"] for line in watched.stdout.splitlines()] == [
            system
        ] * 2
    refused = sre_edge(server, "inject", "store", "cpu_spike", "--system", "outage")
    assert (refused.returncode, "does not support this: faults" in refused.stderr) == (2, True)
    assert (
        sre_edge(server, "inject", "database", "cpu_spike", "--system", "rehearsal").returncode == 0
    )
    assert sre_edge(server, "stop", "--all", "--system", "rehearsal").returncode == 0


def test_by_grpcurl(server: str) -> None:
    grpcurl = tool("grpcurl")

    def call(method: str, code: int = 0, **request: Any) -> Any:
        done = subprocess.run(
            [grpcurl, "-plaintext", "-format-error", "-d", json.dumps(request), server,
             f"sre_edge.v1.{method}"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) == (code == 0), done.stderr
        return json.loads(done.stdout if code == 0 else done.stderr)

    listed = call("SystemService/ListSystems")["systems"]
    assert {one["id"]: one["state"] for one in listed} == dict.fromkeys(
        ENTRIES, system_pb2.SystemState.Name(system_pb2.SYSTEM_STATE_LIVE)
    )
    for system, entry in ENTRIES.items():
        shown = call("SimulationService/GetMetrics", system=system)["snapshot"]
        assert (shown["system_id"], shown["services"][0]["service"]) == (system, entry)
        assert call("PredictionService/Predict", system=system)["predictions"]
    refused = call(
        "ChaosService/InjectChaos", 1, system="outage", target="store",
        kind="FAULT_KIND_CPU_SPIKE", duration="10s",
    )  # fmt: skip
    assert refused["code"] == 9
    assert refused["details"][0]["reason"] == "NOT_SUPPORTED_BY_SOURCE"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", list(programs.TOOLCHAINS))
def test_by_clients_in_other_languages(server: str, language: str, run_folder: Path) -> None:
    client = programs.build(language, run_folder)
    for system, entry in ENTRIES.items():
        known = ("--target", server, "--system", system)
        watched = client.run(*known, "--count", "2", "watch")
        assert watched.stdout.count("snapshot") == 2, watched.stderr
        predicted = client.run(*known, "predict", entry).stdout.split()
        assert predicted[0] == entry
        assert 0.0 <= float(predicted[1]) <= 1.0
    refused = client.run(
        "--target", server, "--system", "outage", "inject", "store", "cpu_spike", "9s"
    )
    assert (refused.returncode, "NOT_SUPPORTED_BY_SOURCE" in refused.stderr) == (2, True)
    injected = client.run("--target", server, "--system", "rehearsal", "inject", "database",
                          "cpu_spike", "9s")  # fmt: skip
    assert "cpu_spike on database" in injected.stdout, injected.stderr
