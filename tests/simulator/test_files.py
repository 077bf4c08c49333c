"""Topology files: what is allowed, and what an error says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.topology.file import TopologyError, load_topology, parse_topology
from simulator.topology.resolved import Dependency
from telemetry.topology.specification import Backoff, CircuitBreaker, Warmup


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


def test_one_mistake_does_not_hide_another() -> None:
    memory = {"limit_mb": 10, "base_mb": 20, "per_request_kb": -1}
    call = {"service": "b", "retries": 2.5, "backoff": {"initial_ms": 100, "max_ms": 10}}
    wrong = [
        {"name": "A", "memory": memory, "dependencies": ["nobody", call, "b", 7]},
        {"name": "b", "kind": "databse"},
    ]
    assert problems({"services": wrong}).splitlines() == [
        "shop.yaml: services[0].name: expected a DNS label (lower-case letters, digits and "
        "hyphens, at most 63), got 'A'",
        "shop.yaml: services[0].memory.base_mb: expected less than limit_mb (10), got 20",
        "shop.yaml: services[0].memory.per_request_kb: expected a number of at least 0 and at "
        "most 1e+09, got -1",
        "shop.yaml: services[0].dependencies[1].retries: expected a whole number from 0 to 10, "
        "got 2.5",
        "shop.yaml: services[0].dependencies[1].backoff.max_ms: expected at least initial_ms "
        "(100), got 10",
        "shop.yaml: services[0].dependencies[3]: expected the name of a service or a mapping, "
        "got 7",
        "shop.yaml: services[1].kind: expected one of gateway, service, database, cache, queue, "
        "external, got 'databse'; did you mean 'database'?",
        "shop.yaml: services[0].dependencies[0]: expected a service of this file, got 'nobody'",
        "shop.yaml: services[0].dependencies[2]: expected each service once, 'b' is repeated",
    ]


def test_of_very_many_problems_some_are_told_and_the_others_counted() -> None:
    text = problems({"services": [{"name": "a", "replicas": 0, "colour": "red"}] * 100})
    assert len(text.splitlines()) == 51
    assert text.endswith("shop.yaml: and 249 more problems")  # each name but the first, too


def test_a_key_without_a_value_is_as_if_left_out() -> None:
    keys = {"kind": None, "replicas": None, "memory": None, "slo": {"latency_ms": None}}
    stated = parse_topology({"services": [{"name": "a", "dependencies": None, **keys}]})
    assert stated == parse_topology({"services": [{"name": "a"}]})


def test_short_forms_stand_for_long_ones() -> None:
    def call(**keys: Any) -> Dependency:
        return parse_topology(calling(keys)).services[0].dependencies[0]

    assert call(circuit_breaker=True) == call(circuit_breaker={})
    assert call(circuit_breaker=False) == call()
    assert call(retries=3.0).retries == 3
    assert call(backoff={"initial_ms": 5000}).backoff == Backoff(5000.0, 5000.0)


def test_only_who_reads_a_document_waits_for_pydantic() -> None:
    program = (
        "import sys, simulator.command\n"
        "assert 'pydantic' not in sys.modules\n"
        "simulator.command.shipped('default')\n"
        "assert 'pydantic' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


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


def test_an_alias_is_refused_before_it_multiplies() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    with pytest.raises(TopologyError, match="expected no alias"):
        parse_topology("\n".join([*lines, "services: *a59"]))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_endless_nesting_is_refused_before_it_ends_the_process(opening: str) -> None:
    with pytest.raises(TopologyError, match="expected at most 100 levels of nesting"):
        parse_topology("services:\n " + 40_000 * opening)
