"""Failures emerge from what faults change, spread along calls, and end by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.breach import breached
from simulator.faults import Fault, FaultKind
from simulator.frame import Frame
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology import Topology
from simulator.topology_file import parse_topology


def run(topology: Topology, seconds: float, *faults: Fault, seed: int = 1) -> list[Frame]:
    simulation = Simulation(topology, seed=seed)
    for fault in faults:
        simulation.inject(fault)
    return [simulation.next_frame() for _ in range(int(seconds / 2))]


def at(frames: list[Frame], t_s: float) -> Frame:
    return frames[int(t_s / 2)]


def value(frame: Frame, name: str, topology: Topology, service: str) -> float:
    return float(getattr(frame, name)[0, topology.graph().index[service]])


def shop(**dependency: Any) -> Topology:
    """A gateway that needs its catalogue and may do without its adverts."""
    return parse_topology(
        {
            "services": [
                {
                    "name": "gateway",
                    "kind": "gateway",
                    "dependencies": [
                        {"service": "catalogue", **dependency},
                        {"service": "adverts", "required": False},
                    ],
                },
                {
                    "name": "catalogue",
                    "workers": 16,
                    "dependencies": [{"service": "database", **dependency}],
                },
                {"name": "adverts"},
                {"name": "database", "kind": "database"},
            ]
        }
    )


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


def test_retries_multiply_the_load_on_a_failing_dependency() -> None:
    topology = shop(retries=3)
    frames = run(topology, 60, Fault("database", FaultKind.SERVICE_KILL, 20, 40))
    edge = 2  # catalogue -> database
    first = 1 + 3  # each gateway request tries the catalogue four times as well
    before = np.mean([at(frames, t).edge_call_rate_rps[0, edge] for t in (6, 8, 10, 12)])
    during = np.mean([at(frames, t).edge_call_rate_rps[0, edge] for t in (50, 52, 54)])
    assert during == pytest.approx(before * 4 * first, rel=0.1)


def test_a_retry_budget_bounds_the_retries() -> None:
    topology = shop(retries=3, retry_budget=0.2)
    frames = run(topology, 60, Fault("database", FaultKind.SERVICE_KILL, 20, 40))
    before = np.mean([at(frames, t).edge_call_rate_rps[0, 2] for t in (6, 8, 10, 12)])
    during = np.mean([at(frames, t).edge_call_rate_rps[0, 2] for t in (50, 52, 54)])
    assert during <= before * 1.2 * 1.2 * 1.1


def test_a_breaker_turns_slow_failures_into_fast_ones() -> None:
    fault = Fault("database", FaultKind.NETWORK_LATENCY, 20, 40, 3.0)
    latency = {}
    for breaker in (False, True):
        topology = shop(circuit_breaker=breaker, retries=0)
        frames = run(topology, 60, fault)
        latency[breaker] = value(at(frames, 50), "latency_ms", topology, "catalogue")
        assert value(at(frames, 50), "error_rate_percent", topology, "catalogue") > 90.0
    assert latency[True] < 0.3 * latency[False]


def test_an_autoscaler_follows_a_ramp() -> None:
    def busiest(autoscaler: dict[str, int] | None) -> float:
        service = {"name": "web", "kind": "gateway", "replicas": 2, "workers": 6}
        topology = parse_topology({"services": [{**service, "autoscaler": autoscaler}]})
        surge = Fault("web", FaultKind.TRAFFIC_SURGE, 30, 400, 14.0, ramp_s=200)
        frames = run(topology, 300, surge)
        return max(float(frame.error_rate_percent[0, 0]) for frame in frames)

    assert busiest(None) > 20.0
    assert busiest({"min": 2, "max": 12}) < 5.0


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
