"""Files that people already have become topologies, and what is lost is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ml.definitions.breach import breached
from simulator.importers import FORMATS
from simulator.simulation import Simulation
from simulator.topology.file import load_topology, parse_topology
from simulator.topology.resolved import Topology
from telemetry.document import DocumentError

FILES = Path(__file__).parent / "files"
EXAMPLES = {
    "isotope": "isotope.yaml", "kiali": "kiali.json", "jaeger": "jaeger.json",
    "zipkin": "zipkin.json", "compose": "compose.yaml",
}  # fmt: skip


def imported(name: str) -> tuple[Topology, str]:
    found = FORMATS[name]((FILES / EXAMPLES[name]).read_text(), EXAMPLES[name])
    return parse_topology(found.document), "\n".join(found.warnings)


def calls(topology: Topology) -> dict[tuple[str, str], float]:
    return {
        (service.name, call.service): call.calls_per_request
        for service in topology.services
        for call in service.dependencies
    }


def by_name(topology: Topology) -> dict[str, Any]:
    return {service.name: service for service in topology.services}


def test_isotope_scripts_become_work_and_calls() -> None:
    topology, warnings = imported("isotope")
    services = by_name(topology)
    assert calls(topology) == {
        ("entry", "cart"): 1.0, ("entry", "catalogue"): 1.0, ("entry", "adverts"): 0.5,
        ("cart", "store"): 1.0, ("catalogue", "store"): 2.0,
    }  # fmt: skip
    assert services["entry"].ingress_rps > 0
    assert services["cart"].service_time_ms == 1.5
    assert (services["cart"].replicas, services["entry"].replicas) == (4, 2)
    for expected in ("sizes of requests", "errorRate 0.1%", "at the same time"):
        assert expected in warnings


def test_kiali_traffic_becomes_load_and_calls_per_request() -> None:
    topology, warnings = imported("kiali")
    services = by_name(topology)
    assert set(services) == {"productpage", "reviews", "ratings-api", "mongodb"}
    assert services["productpage"].ingress_rps == 10
    assert calls(topology)["productpage", "reviews"] == pytest.approx(1.0)
    assert calls(topology)["reviews", "ratings-api"] == pytest.approx(0.5)
    for expected in ("without a name", "tcp traffic", "'Ratings_API' is named 'ratings-api'"):
        assert expected in warnings


def test_jaeger_counts_become_calls_per_request() -> None:
    topology, warnings = imported("jaeger")
    assert calls(topology) == {
        ("frontend", "customer"): pytest.approx(0.1),
        ("frontend", "driver"): pytest.approx(0.1),
        ("frontend", "route"): pytest.approx(1.0),
        ("customer", "mysql"): pytest.approx(1.0),
        ("driver", "redis-manual"): pytest.approx(13.0),
    }
    assert "frontend: its own requests were not counted" in warnings


def test_zipkin_counts_become_calls_per_request() -> None:
    topology, warnings = imported("zipkin")
    assert calls(topology)["orders", "payments"] == pytest.approx(25 / 50)
    for expected in ("errors are left out", "orders calls itself", "'Gateway' is named 'gateway'"):
        assert expected in warnings


def test_compose_dependencies_become_calls() -> None:
    topology, warnings = imported("compose")
    services = by_name(topology)
    assert set(calls(topology)) == {
        ("vote", "redis"), ("result", "db"), ("worker", "redis"), ("worker", "db"),
    }  # fmt: skip
    assert (services["redis"].kind, services["db"].kind) == ("cache", "database")
    assert (services["vote"].replicas, services["worker"].replicas) == (3, 2)
    assert "only gives the start order" in warnings


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_what_is_imported_runs_healthy(name: str) -> None:
    topology, _ = imported(name)
    simulation = Simulation(topology, seed=1)
    for _ in range(60):
        assert not breached(simulation.next_frame(), simulation.graph).any()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("isotope", "services: []", "expected at least one service"),
        ("isotope", "services: [{script: []}]", "services[0].name: expected a name"),
        ("isotope", "services: [{name: a, script: [{sleep: soon}]}]", "script[0].sleep"),
        ("isotope", "services: [{name: a, script: [{jump: b}]}]", "expected sleep, call"),
        ("kiali", "{}", "elements: expected nodes and edges"),
        ("kiali", '{"elements": {"nodes": [], "edges": []}}', "expected at least one service"),
        ("jaeger", "[]", "data: expected a list"),
        ("jaeger", '{"data": []}', "expected at least one service"),
        ("zipkin", "{}", "expected a list of dependencies"),
        ("zipkin", '[{"parent": "a"}]', "expected a parent and a child"),
        ("zipkin", '[{"parent": "a", "child": "b"}]', "callCount: expected a number"),
        ("compose", "services: {a: {depends_on: [b]}}", "expected a service of this file, got 'b'"),
        ("compose", "[]", "services: expected a mapping"),
        ("compose", "services: {a: [", "expected YAML or JSON"),
    ],
)
def test_a_wrong_file_is_said_with_its_path(name: str, text: str, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        FORMATS[name](text, "file")
    assert str(caught.value).startswith("file")
    assert expected in str(caught.value)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_commands_write_topology_files(tmp_path: Path) -> None:
    generated, carried = tmp_path / "random.yaml", tmp_path / "voting.yaml"
    done = command("generate", "--services", "30", "--seed", "4", "--out", str(generated))
    assert done.returncode == 0, done.stderr
    assert len(load_topology(generated).services) == 30
    done = command("generate", "--services", "30", "--seed", "4")
    assert done.stdout == generated.read_text()
    compose = FILES / "compose.yaml"
    done = command("import", "--format", "compose", str(compose), "--out", str(carried))
    assert done.returncode == 0, done.stderr
    assert "warning: depends_on" in done.stderr
    assert len(load_topology(carried).services) == 5
    done = command("import", "--format", "kiali", str(compose))
    assert done.returncode == 2
    assert "elements: expected nodes and edges" in done.stderr
