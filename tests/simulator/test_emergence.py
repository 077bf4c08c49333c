"""Failures emerge from what faults change, spread along calls, and end by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.definitions.breach import breached
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame


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


def test_adaptive_throttling_keeps_load_off_a_failing_callee() -> None:
    fault = Fault("database", FaultKind.ERROR_BURST, 20, 100, 4.5)
    cpu = {}
    for throttled in (False, True):
        topology = shop(retries=0, adaptive_throttling=throttled)
        frames = run(topology, 120, fault)
        cpu[throttled] = value(at(frames, 110), "cpu_percent", topology, "database")
    assert cpu[True] < 0.75 * cpu[False]


def test_a_connection_pool_bounds_what_a_slow_dependency_can_hold() -> None:
    """By Little's law, m connections carry m / T calls per second."""
    fault = Fault("database", FaultKind.NETWORK_LATENCY, 20, 60, 0.5)
    topology = shop(retries=0, max_connections=5)
    catalogue = topology.services[1]
    frames = run(topology, 80, fault)
    during = at(frames, 70)
    carried = during.edge_call_rate_rps[0, 2] * (1 - during.edge_error_rate_percent[0, 2] / 100)
    assert carried == pytest.approx(5 * catalogue.replicas / 0.51, rel=0.2)
    assert value(during, "error_rate_percent", topology, "catalogue") > 50.0
    topology = shop(retries=0)
    during = at(run(topology, 80, fault), 70)
    assert value(during, "error_rate_percent", topology, "catalogue") < 5.0


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


def test_an_autoscaler_loses_against_a_step() -> None:
    service = {"name": "web", "kind": "gateway", "replicas": 2, "workers": 6, "startup_s": 60}
    topology = parse_topology({"services": [{**service, "autoscaler": {"min": 2, "max": 20}}]})
    frames = run(topology, 200, Fault("web", FaultKind.TRAFFIC_SURGE, 40, 160, 16.0))
    assert max(float(frame.error_rate_percent[0, 0]) for frame in frames[20:50]) > 30.0
    assert float(frames[-1].error_rate_percent[0, 0]) < 5.0  # it catches up in the end


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
