"""Failures emerge from what faults change, spread along calls, and end by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from ml.definitions.breach import breached
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology
from telemetry.faults import Fault, FaultKind
from tests.simulator.runs import at, run, shop, value


def test_a_killed_database_takes_down_the_callers_that_require_it_only() -> None:
    topology = shop()
    frames = run(topology, 120, Fault("database", FaultKind.SERVICE_KILL, 20, 40))
    during = at(frames, 40)
    assert value(during, "availability_percent", topology, "database") == 0.0
    for service in ("gateway", "catalogue", "database"):
        assert value(during, "error_rate_percent", topology, service) > 95.0
    assert value(during, "error_rate_percent", topology, "adverts") < 5.0


def test_an_optional_dependency_costs_its_caller_no_errors() -> None:
    topology = shop()
    frames = run(topology, 60, Fault("adverts", FaultKind.SERVICE_KILL, 20, 40))
    during = at(frames, 40)
    assert value(during, "error_rate_percent", topology, "adverts") == 100.0
    assert value(during, "error_rate_percent", topology, "gateway") < 5.0


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_fault_ends_by_itself_and_the_system_recovers(kind: FaultKind) -> None:
    topology = shipped("default")
    target = "api-gateway" if kind is FaultKind.TRAFFIC_SURGE else "database"
    frames = run(topology, 240, Fault(target, kind, 20, 40, 2.0))
    assert not any(breached(frame, topology.graph()).any() for frame in frames[-30:])


def test_recovery_takes_time_after_the_fault_is_gone() -> None:
    topology = shipped("default")
    frames = run(topology, 120, Fault("database", FaultKind.SERVICE_KILL, 20, 40))
    assert value(at(frames, 62), "availability_percent", topology, "database") == 0.0
    assert value(at(frames, 100), "availability_percent", topology, "database") == 100.0


def test_the_seed_magnitudes_are_the_defaults() -> None:
    topology = shipped("default")
    quiet = run(topology, 60)
    spike = run(topology, 60, Fault("database", FaultKind.CPU_SPIKE, 20, 40))
    grown = np.mean(
        [
            value(a, "cpu_percent", topology, "database")
            - value(b, "cpu_percent", topology, "database")
            for a, b in zip(spike[15:], quiet[15:], strict=True)
        ]
    )
    assert grown == pytest.approx(30.0, abs=1.0)
    leak = run(topology, 62, Fault("database", FaultKind.MEMORY_LEAK, 20, 40))
    before, end = at(leak, 18), at(leak, 58)
    grown = value(end, "memory_percent", topology, "database") - value(
        before, "memory_percent", topology, "database"
    )
    assert grown == pytest.approx(40.0, abs=3.0)
    slow = run(topology, 60, Fault("database", FaultKind.NETWORK_LATENCY, 20, 40, 0.5))
    added = value(at(slow, 40), "latency_ms", topology, "database") - value(
        at(slow, 10), "latency_ms", topology, "database"
    )
    assert added == pytest.approx(500.0, abs=30.0)


def test_a_leak_ends_in_kills_by_the_memory_limit_and_restarts() -> None:
    topology = shipped("default")
    simulation = Simulation(topology, seed=1)
    simulation.inject(Fault("user-service", FaultKind.MEMORY_LEAK, 10, 60, 2.0))
    i = topology.graph().index["user-service"]
    kills, least = 0.0, 100.0
    for _ in range(100):
        frame = simulation.next_frame()
        kills += float(simulation.truth.memory_kills[0, i])
        least = min(least, float(frame.availability_percent[0, i]))
    assert kills >= 3.0
    assert least < 50.0
    assert frame.availability_percent[0, i] == 100.0


def test_a_partition_of_one_edge_hurts_only_the_paths_through_it() -> None:
    topology = shipped("default")
    fault = Fault("auth-service->database", FaultKind.NETWORK_PARTITION, 20, 40)
    during = at(run(topology, 60, fault), 50)
    assert value(during, "error_rate_percent", topology, "auth-service") > 90.0
    assert value(during, "error_rate_percent", topology, "user-service") < 5.0
    assert value(during, "error_rate_percent", topology, "api-gateway") > 90.0


def test_a_cascade_without_a_target_floods_what_most_depend_on() -> None:
    topology = shipped("default")
    during = at(run(topology, 60, Fault("", FaultKind.CASCADE_FAILURE, 20, 40)), 50)
    assert value(during, "error_rate_percent", topology, "database") > 5.0
    assert value(during, "error_rate_percent", topology, "api-gateway") > 5.0


def cached(hit_ratio: float, **cache: float) -> Topology:
    """A service whose cache keeps most requests from a database that could not take them all."""
    return parse_topology(
        {
            "services": [
                {
                    "name": "web", "kind": "gateway", "ingress_rps": 400, "replicas": 4,
                    "workers": 8, "service_time_ms": 10, "startup_s": 5,
                    "cache": {"hit_ratio": hit_ratio, "warm_s": 60, **cache},
                    "dependencies": [
                        {"service": "database", "calls_per_request": 1.0 - hit_ratio}
                    ],
                },
                {
                    "name": "database", "kind": "database", "service_time_ms": 20,
                    "replicas": 1, "workers": 4,
                },
            ]
        }
    )  # fmt: skip


def test_a_cold_cache_overloads_its_database() -> None:
    topology = cached(0.9)
    frames = run(topology, 300, Fault("web", FaultKind.SERVICE_KILL, 60, 20))
    before = value(at(frames, 50), "cpu_percent", topology, "database")
    # The database was never touched; what breaks it are the misses of restarted replicas.
    after = at(frames, 96)
    assert value(after, "availability_percent", topology, "web") == 100.0
    assert value(after, "cpu_percent", topology, "database") > 2.0 * before
    assert value(after, "error_rate_percent", topology, "database") > 20.0
    # Warm again, it is as before. A cache that warms at once spares the database.
    assert value(frames[-1], "error_rate_percent", topology, "database") < 1.0
    topology = cached(0.9, warm_s=0.1)
    frames = run(topology, 120, Fault("web", FaultKind.SERVICE_KILL, 60, 20))
    assert value(at(frames, 96), "error_rate_percent", topology, "database") < 1.0


def test_a_slow_dependency_exhausts_its_callers_places_while_the_callers_cpu_falls() -> None:
    topology = parse_topology(
        {
            "services": [
                {
                    "name": "web", "kind": "gateway", "ingress_rps": 200, "replicas": 2,
                    "workers": 8, "max_in_flight": 16, "service_time_ms": 20,
                    "dependencies": [{"service": "store", "retries": 0}],
                },
                {"name": "store"},
            ]
        }
    )  # fmt: skip
    frames = run(topology, 120, Fault("store", FaultKind.NETWORK_LATENCY, 40, 80, 0.9))
    before, during = at(frames, 30), at(frames, 110)
    assert value(during, "cpu_percent", topology, "web") < 0.5 * value(
        before, "cpu_percent", topology, "web"
    )
    assert value(during, "error_rate_percent", topology, "web") > 30.0
    assert value(during, "error_rate_percent", topology, "store") < 10.0


def test_a_leak_ends_in_a_crash_loop_whose_survivors_overload() -> None:
    topology = parse_topology(
        {
            "services": [
                {
                    "name": "web", "kind": "gateway", "ingress_rps": 360, "replicas": 4,
                    "workers": 4, "service_time_ms": 25, "startup_s": 10,
                }
            ]
        }
    )  # fmt: skip
    simulation = Simulation(topology, seed=1)
    simulation.inject(Fault("web", FaultKind.MEMORY_LEAK, 20, 300, 8.0))
    kills, crowded = 0.0, 0
    for _ in range(160):
        frame = simulation.next_frame()
        kills += float(simulation.truth.memory_kills[0, 0])
        partly = 0.0 < frame.availability_percent[0, 0] < 80.0
        crowded += bool(partly and frame.error_rate_percent[0, 0] > 5.0)
    assert kills > 4.0  # some replicas more than once
    assert crowded > 5
