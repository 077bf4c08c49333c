"""Topology and scenario files: what is allowed, and what an error says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.faults.kinds import Fault, FaultKind
from simulator.faults.scenario import ScenarioError, load_scenarios, parse_scenarios
from simulator.faults.schedule import FaultError
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology.file import TopologyError, load_topology, parse_topology
from simulator.topology.specification import Backoff, CircuitBreaker, Warmup


def problems(document: Any) -> str:
    with pytest.raises(TopologyError) as caught:
        parse_topology(document, source="shop.yaml")
    return str(caught.value)


def test_the_long_form_of_the_design_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("""
name: shop
services:
  - name: api-gateway
    kind: gateway
    ingress_rps: 120
    replicas: 3
    workers: 16
    max_in_flight: 64
    service_time_ms: 20
    service_time_cv: 1.0
    queue_limit: 128
    memory: {limit_mb: 1024, base_mb: 400, per_request_kb: 256}
    startup_s: 10
    autoscaler: {min: 2, max: 8, target_utilization: 0.6}
    cache: {hit_ratio: 0.8, warm_s: 60}
    warmup: {seconds: 20}
    cores: 4.5
    parallel_calls: true
    slo: {latency_ms: 500, error_rate_percent: 1, availability_percent: 99.9, throughput_rps: 100}
    dependencies:
      - auth-service
      - {service: database, calls_per_request: 1.0, timeout_ms: 1000, retries: 2,
         retry_budget: 0.2, circuit_breaker: {open_s: 9}, backoff: {initial_ms: 100},
         cancel_on_timeout: true, adaptive_throttling: true, max_connections: 50,
         required: true}
  - name: auth-service
  - name: database
    kind: database
""")
    topology = load_topology(path)
    gateway = topology.services[0]
    assert (gateway.replicas, gateway.workers, gateway.max_in_flight) == (3, 16, 64)
    assert gateway.memory.base_mb == 400
    assert gateway.slo.throughput_rps == 100
    assert gateway.autoscaler is not None
    assert gateway.autoscaler.max == 8
    assert gateway.cache is not None
    assert (gateway.cache.hit_ratio, gateway.cache.warm_s) == (0.8, 60)
    assert gateway.dependencies[1].max_connections == 50
    assert gateway.warmup == Warmup(20.0, 2.0)
    assert (gateway.cores, gateway.parallel_calls) == (4.5, True)
    assert gateway.dependencies[1].circuit_breaker == CircuitBreaker(0.5, 20, 9.0)
    assert gateway.dependencies[1].backoff == Backoff(100.0, 2000.0)
    assert gateway.dependencies[1].cancel_on_timeout
    assert gateway.dependencies[0].circuit_breaker is None
    assert gateway.dependencies[1].adaptive_throttling
    assert [call.service for call in gateway.dependencies] == ["auth-service", "database"]
    assert gateway.dependencies[1].retry_budget == 0.2
    assert gateway.dependencies[0].timeout_ms >= 1000


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({"services": [{"name": "a", "dependencies": ["b"]}, {"name": "b"}]}))
    assert [service.name for service in load_topology(path).services] == ["a", "b"]


def calling(keys: dict[str, Any]) -> dict[str, Any]:
    """A system with one call that has these keys."""
    call = {"service": "b", **keys}
    return {"services": [{"name": "a", "dependencies": [call]}, {"name": "b"}]}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"services": [{"name": "a", "replicsa": 2}]}, "services[0].replicsa: expected one of"),
        ({"services": [{"name": "a", "replicas": 0}]}, "services[0].replicas: expected a whole"),
        ({"services": [{"name": "a", "replicas": True}]}, "services[0].replicas: expected a whole"),
        ({"services": [{"name": "a"}, {"name": "a"}]}, "services[1].name: expected a unique name"),
        ({"services": [{"name": "A_b"}]}, "services[0].name: expected a DNS label"),
        ({"services": [{}]}, "services[0].name: expected a DNS label"),
        ({"services": []}, "services: expected 1 to"),
        ({}, "services: expected a list"),
        ([1], "expected a mapping, got [1]"),
        (
            {"services": [{"name": "web", "dependencies": ["databse"]}, {"name": "database"}]},
            "services[0].dependencies[0]: expected a service of this file, got 'databse'; "
            "did you mean 'database'?",
        ),
        (
            {"services": [{"name": "a", "service_time_ms": float("nan")}]},
            "services[0].service_time_ms: expected a number greater than 0",
        ),
        (
            {"services": [{"name": "a", "memory": {"limit_mb": 10, "base_mb": 20}}]},
            "services[0].memory.base_mb: expected less than limit_mb (10), got 20",
        ),
        (
            {"services": [{"name": "a", "slo": {"latency_ms": -1}}]},
            "services[0].slo.latency_ms: expected a number greater than 0",
        ),
        (
            {"services": [{"name": "a", "cache": {}}]},
            "services[0].cache.hit_ratio: expected a number",
        ),
        (
            {"services": [{"name": "a", "cache": {"hit_ratio": 1.0}}]},
            "services[0].cache.hit_ratio: expected a number of at least 0 and at most 0.999, got 1",
        ),
        (
            {"services": [{"name": "a", "warmup": {"slowdown": 0.5}}]},
            "services[0].warmup.slowdown: expected a number of at least 1",
        ),
        (
            {"services": [{"name": "a", "cores": 0}]},
            "services[0].cores: expected a number greater than 0",
        ),
        (
            {"services": [{"name": "a", "parallel_calls": 3}]},
            "services[0].parallel_calls: expected true or false, got 3",
        ),
        (
            calling({"circuit_breaker": "yes"}),
            "services[0].dependencies[0].circuit_breaker: expected true or false, got 'yes'",
        ),
        (
            calling({"circuit_breaker": {"error_share": 2}}),
            "services[0].dependencies[0].circuit_breaker.error_share: expected a number greater",
        ),
        (
            calling({"backoff": {"initial_ms": 100, "max_ms": 10}}),
            "backoff.max_ms: expected at least initial_ms (100), got 10",
        ),
        (
            {"services": [{"name": "a", "kind": "gatway"}]},
            "services[0].kind: expected one of gateway",
        ),
        ("services: [{name: a}", "expected YAML or JSON"),
        ("services: [{name: a, name: b}]", "expected each key once"),
        ("? [a]\n: b", "shop.yaml: line 1, column 3: expected text as a key"),
        (
            {
                "services": [
                    {"name": a, "dependencies": [{"service": b, "calls_per_request": 1}]}
                    for a, b in (("a", "b"), ("b", "a"))
                ]
            },
            "the load grows without bound",
        ),
    ],
)
def test_a_wrong_topology_names_file_path_and_expectation(document: Any, expected: str) -> None:
    text = problems(document)
    assert text.startswith("shop.yaml")
    assert expected in text


def test_every_problem_is_named_at_once() -> None:
    text = problems({"services": [{"name": "a", "replicas": -1, "workers": "x"}], "nmae": "y"})
    assert len(text.splitlines()) == 3


def test_a_missing_file_is_said() -> None:
    with pytest.raises(TopologyError, match=r"nowhere\.yaml: expected a readable"):
        load_topology("nowhere.yaml")


def test_a_timeout_below_the_nominal_p95_is_a_warning() -> None:
    topology = parse_topology(
        {
            "services": [
                {"name": "a", "dependencies": [{"service": "b", "timeout_ms": 5}]},
                {"name": "b"},
            ]
        }
    )
    assert "a -> b: the timeout of 5 ms is below" in topology.warnings[0]


def test_a_scenario_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text("""
- name: database-leak
  seconds: 900
  load: {scale: 1.0, diurnal: true, hour: 14, day: 5}
  faults: [{target: database, kind: memory_leak, start_s: 300, duration_s: 400, intensity: 1.0,
            ramp_s: 60, share: 1.0}]
""")
    (scenario,) = load_scenarios(path, shipped("default").graph())
    assert scenario.load.diurnal
    assert (scenario.load.hour, scenario.load.day) == (14.0, 5)
    assert scenario.faults == (
        Fault("database", FaultKind.MEMORY_LEAK, 300.0, 400.0, 1.0, 60.0, 1.0),
    )


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"target": "nobody", "kind": "cpu_spike", "duration_s": 5}, "[0].faults[0].target"),
        ({"target": "database", "kind": "cpu", "duration_s": 5}, "[0].faults[0].kind"),
        ({"target": "database", "kind": "cpu_spike"}, "[0].faults[0].duration_s"),
        ({"target": "database", "kind": "cpu_spike", "duration_s": 0}, "[0].faults[0].duration_s"),
        (
            {"target": "database", "kind": "cpu_spike", "duration_s": 5, "ramp_s": 9},
            "[0].faults[0].ramp_s",
        ),
        ({"target": "database", "kind": "traffic_surge", "duration_s": 5}, "expected an entry"),
    ],
)
def test_a_wrong_scenario_names_the_path(fault: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenarios(
            [{"name": "x", "seconds": 60, "faults": [fault]}], shipped("default").graph(), "s.yaml"
        )
    assert expected in str(caught.value)


def test_an_impossible_fault_changes_nothing() -> None:
    simulation = Simulation(shipped("default"))
    with pytest.raises(FaultError) as caught:
        simulation.inject(Fault("database", FaultKind.CPU_SPIKE, 0.0, float("nan")))
    assert caught.value.field == "duration_s"
    assert simulation.active_faults() == ()


def test_an_alias_is_refused_before_it_multiplies() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    with pytest.raises(TopologyError, match="expected no alias"):
        parse_topology("\n".join([*lines, "services: *a59"]))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_endless_nesting_is_refused_before_it_ends_the_process(opening: str) -> None:
    with pytest.raises(TopologyError, match="expected at most 100 levels of nesting"):
        parse_topology("services:\n " + 40_000 * opening)
