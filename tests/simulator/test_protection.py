"""What callers and services do against failures: where it helps, and where it does harm."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.topology.file import parse_topology
from telemetry.faults import Fault, FaultKind
from tests.simulator.runs import at, run, shop, value


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


def test_an_autoscaler_loses_against_a_step() -> None:
    service = {"name": "web", "kind": "gateway", "replicas": 2, "workers": 6, "startup_s": 60}
    topology = parse_topology({"services": [{**service, "autoscaler": {"min": 2, "max": 20}}]})
    frames = run(topology, 200, Fault("web", FaultKind.TRAFFIC_SURGE, 40, 160, 16.0))
    assert max(float(frame.error_rate_percent[0, 0]) for frame in frames[20:50]) > 30.0
    assert float(frames[-1].error_rate_percent[0, 0]) < 5.0  # it catches up in the end
