"""The model agrees with what queueing theory says exactly."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from simulator.latency_law import percentiles, truncated
from simulator.simulation import Simulation
from simulator.statistics import RunStatistics
from simulator.topology import Topology
from simulator.topology_file import parse_topology


def single(service_ms: float, workers: int, utilization: float) -> Topology:
    return parse_topology(
        {
            "services": [
                {
                    "name": "queue",
                    "ingress_rps": utilization * workers / service_ms * 1e3,
                    "replicas": 1,
                    "workers": workers,
                    "service_time_ms": service_ms,
                    "queue_limit": 1_000_000,
                    "memory": {"per_request_kb": 0},
                }
            ]
        }
    )


def erlang_c(workers: int, load: float) -> float:
    """Probability of waiting in M/M/c, by the recursion of Erlang B."""
    blocked = 1.0
    for c in range(1, workers + 1):
        blocked = load * blocked / (c + load * blocked)
    return blocked / (1.0 - load / workers * (1.0 - blocked))


def time_in_system_s(service_s: float, workers: int, utilization: float) -> float:
    waiting = erlang_c(workers, utilization * workers)
    return service_s + waiting * service_s / (workers * (1.0 - utilization))


@pytest.mark.parametrize("service_ms", [1.0, 20.0, 100.0])
@pytest.mark.parametrize("workers", [1, 4, 16, 64])
@pytest.mark.parametrize("utilization", [0.3, 0.5, 0.7])
def test_mean_time_in_system_is_that_of_m_m_c(
    service_ms: float, workers: int, utilization: float
) -> None:
    simulation = Simulation(single(service_ms, workers, utilization), copies=16, seed=5)
    statistics = RunStatistics(simulation)
    for _ in range(60):
        statistics.add(simulation.next_frame())
    figures = statistics.report()["queue"]
    expected = 1e3 * time_in_system_s(service_ms / 1e3, workers, utilization)
    assert figures["latency_ms"]["mean"] == pytest.approx(expected, rel=0.03)
    assert figures["utilization"] == pytest.approx(utilization, rel=0.01)
    assert figures["error_rate_percent"] < 0.1


def test_percentiles_of_m_m_1_are_those_of_an_exponential_law() -> None:
    simulation = Simulation(single(20.0, 1, 0.5), copies=16, seed=5)
    statistics = RunStatistics(simulation)
    for _ in range(100):
        statistics.add(simulation.next_frame())
    latency = statistics.report()["queue"]["latency_ms"]
    for key, level in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert latency[key] == pytest.approx(-40.0 * np.log(1.0 - level), rel=0.05)


def test_latency_law_is_exact_for_an_exponential_latency() -> None:
    mean, limit = np.array([[2.0, 2.0, 2.0]]), np.array([[1.0, 4.0, 9.0]])
    cut = truncated(mean, mean**2, limit)
    for i, x in enumerate(limit[0]):
        assert cut.tail[0, i] == pytest.approx(exp(-x / 2.0), abs=2e-3)
        assert cut.mean[0, i] == pytest.approx(2.0 * (1.0 - exp(-x / 2.0)), rel=5e-3)
    for value, level in zip(percentiles(mean, mean**2), (0.5, 0.95, 0.99), strict=True):
        assert value[0, 0] == pytest.approx(-2.0 * np.log(1.0 - level), rel=2e-3)


def test_an_overloaded_queue_grows_by_what_it_cannot_serve() -> None:
    simulation = Simulation(single(100.0, 10, 1.5), copies=32, seed=2)
    before = simulation.state.in_system.copy()
    for _ in range(10):
        simulation.next_frame()
    growth = (simulation.state.in_system - before).mean() / 20.0
    assert growth == pytest.approx(50.0, rel=0.02)
