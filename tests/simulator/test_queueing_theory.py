"""The model agrees with what queueing theory says exactly (simulation.md, section 3)."""

from __future__ import annotations

from itertools import product
from math import exp, sqrt
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator.laws.latency_law import percentiles, tail, truncated
from simulator.laws.waiting import exponents, stationary_wait
from simulator.simulation import Simulation
from simulator.statistics import RunStatistics
from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology
from tests.simulator.closed_forms import sojourn_quantile_s, sojourn_s

COPIES = 48
SECONDS = 120.0


class Case(NamedTuple):
    """A queue with one line of callers."""

    service_ms: float
    workers: int
    utilization: float
    cv: float = 1.0

    @property
    def name(self) -> str:
        percent, cv = f"{100 * self.utilization:g}", f"{100 * self.cv:g}"
        return f"{self.workers}-workers-of-{self.service_ms:g}-ms-{percent}-busy-cv-{cv}"


CASES = [Case(*values) for values in product((1.0, 20.0, 100.0), (1, 4, 64), (0.3, 0.7))]
WHOLE_RANGE = [
    Case(*values)
    for values in product(
        (1.0, 20.0, 100.0, 1000.0), (1, 2, 4, 8, 16, 64), (0.3, 0.5, 0.7, 0.8, 0.9)
    )
]
SPREADS = [Case(50.0, 1, *values) for values in product((0.3, 0.7, 0.9), (0.5, 1.0, 1.5, 2.0))]


def independent(*cases: Case) -> Topology:
    """Make a system of queues that have nothing to do with each other: one run measures all."""
    services = [
        {
            "name": case.name,
            "ingress_rps": case.utilization * case.workers / case.service_ms * 1e3,
            "replicas": 1,
            "workers": case.workers,
            "service_time_ms": case.service_ms,
            "service_time_cv": case.cv,
            "queue_limit": 1_000_000,
            "memory": {"per_request_kb": 0},
        }
        for case in cases
    ]
    return parse_topology({"services": services})


def measured(topology: Topology, seconds: float, warm_up: float = 40.0) -> dict[str, Any]:
    simulation = Simulation(topology, copies=COPIES, seed=5)
    statistics = RunStatistics(simulation)
    for frame in (simulation.next_frame() for _ in range(int((warm_up + seconds) / 2))):
        if frame.t_s >= warm_up:
            statistics.add(frame)
    return statistics.report()


def expect_m_m_c(case: Case, figures: dict[str, Any]) -> None:
    service_s = case.service_ms / 1e3
    latency = figures["latency_ms"]
    mean = 1e3 * sojourn_s(service_s, case.workers, case.utilization)
    assert latency["mean"] == pytest.approx(mean, rel=0.03)
    for key, level in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        expected = 1e3 * sojourn_quantile_s(level, service_s, case.workers, case.utilization)
        assert latency[key] == pytest.approx(expected, rel=0.05)
    assert figures["utilization"] == pytest.approx(case.utilization, rel=0.01)
    rate = case.utilization * case.workers / service_s
    chance = 3.0 / sqrt(rate * SECONDS * COPIES)  # of a Poisson count
    assert figures["throughput_rps"] == pytest.approx(rate, rel=0.01 + chance)
    assert figures["error_rate_percent"] < 0.1


@pytest.fixture(scope="module")
def m_m_c() -> dict[str, Any]:
    return measured(independent(*CASES), SECONDS)


@pytest.fixture(scope="module")
def m_m_c_over_the_whole_range() -> dict[str, Any]:
    return measured(independent(*WHOLE_RANGE), SECONDS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_queue_is_m_m_c(case: Case, m_m_c: dict[str, Any]) -> None:
    expect_m_m_c(case, m_m_c[case.name])


@pytest.mark.slow
@pytest.mark.parametrize("case", WHOLE_RANGE, ids=lambda case: case.name)
def test_a_queue_is_m_m_c_over_the_whole_range(
    case: Case, m_m_c_over_the_whole_range: dict[str, Any]
) -> None:
    expect_m_m_c(case, m_m_c_over_the_whole_range[case.name])


def test_a_network_of_queues_is_jacksons() -> None:
    """Every service of a Jackson network is an M/M/c queue of its own."""
    services = [
        ("front", 200.0, 5.0, 4, {"middle": 1.0, "side": 0.5}),
        ("middle", 0.0, 20.0, 6, {"back": 1.5}),
        ("side", 0.0, 50.0, 8, {"back": 0.4}),
        ("back", 0.0, 4.0, 2, {}),
    ]
    load = {"front": 200.0, "middle": 200.0, "side": 100.0, "back": 340.0}
    topology = parse_topology(
        {
            "services": [
                {
                    "name": name,
                    "ingress_rps": ingress,
                    "replicas": 1,
                    "workers": workers,
                    "service_time_ms": service_ms,
                    "queue_limit": 1_000_000,
                    "memory": {"per_request_kb": 0},
                    "dependencies": [
                        {"service": callee, "calls_per_request": often, "timeout_ms": 60_000}
                        for callee, often in calls.items()
                    ],
                }
                for name, ingress, service_ms, workers, calls in services
            ]
        }
    )
    figures = measured(topology, 120.0)
    latency: dict[str, float] = {}
    for name, _, service_ms, workers, calls in reversed(services):
        utilization = load[name] * service_ms / 1e3 / workers
        own = 1e3 * sojourn_s(service_ms / 1e3, workers, utilization)
        latency[name] = own + sum(often * latency[callee] for callee, often in calls.items())
        assert figures[name]["latency_ms"]["mean"] == pytest.approx(latency[name], rel=0.03)
        assert figures[name]["utilization"] == pytest.approx(utilization, rel=0.01)
        assert figures[name]["throughput_rps"] == pytest.approx(load[name], rel=0.01)


@pytest.fixture(scope="module")
def m_g_1() -> dict[str, Any]:
    return measured(independent(*SPREADS), 200.0)


@pytest.mark.parametrize("case", SPREADS, ids=lambda case: case.name)
def test_service_times_of_any_spread_wait_as_pollaczek_and_khinchine_say(
    case: Case, m_g_1: dict[str, Any]
) -> None:
    wait = case.utilization / (1.0 - case.utilization) * (1.0 + case.cv * case.cv) / 2.0
    figures = m_g_1[case.name]
    assert figures["latency_ms"]["mean"] == pytest.approx(case.service_ms * (1.0 + wait), rel=0.08)


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8, 16, 40, 128, 1000])
def test_the_law_of_waiting_is_erlangs(workers: int) -> None:
    count = np.array([float(workers)])
    for utilization in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        one = np.ones(1)
        wait = stationary_wait(utilization * one, exponents(count), one / workers, one)
        expected = sojourn_s(1.0, workers, utilization)
        assert 1.0 + wait.mean_s[0] == pytest.approx(expected, rel=0.002)


def test_latency_law_is_exact_for_an_exponential_latency() -> None:
    mean, limit = np.array([[2.0, 2.0, 2.0]]), np.array([[1.0, 4.0, 9.0]])
    cut, late = truncated(mean, mean**2, limit), tail(mean, mean**2, limit)
    for i, x in enumerate(limit[0]):
        assert late[0, i] == pytest.approx(exp(-x / 2.0), abs=2e-3)
        assert cut.mean[0, i] == pytest.approx(2.0 * (1.0 - exp(-x / 2.0)), rel=5e-3)
    for value, level in zip(percentiles(mean, mean**2), (0.5, 0.95, 0.99), strict=True):
        assert value[0, 0] == pytest.approx(-2.0 * np.log(1.0 - level), rel=2e-3)


def test_an_overloaded_queue_grows_by_what_it_cannot_serve() -> None:
    simulation = Simulation(independent(Case(100.0, 10, 1.5)), copies=32, seed=2)
    before = simulation.state.in_system.copy()
    for _ in range(10):
        simulation.next_frame()
    growth = (simulation.state.in_system - before).mean() / 20.0
    assert growth == pytest.approx(50.0, rel=0.02)
