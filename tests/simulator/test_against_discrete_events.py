"""The fluid model against a plain discrete-event simulation, which itself agrees with theory."""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any

import numpy as np
import pytest

from simulator.simulation import Simulation
from simulator.statistics import RunStatistics
from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology
from telemetry.faults import Fault, FaultKind
from tests.simulator.closed_forms import sojourn_quantile_s, sojourn_s
from tests.simulator.discrete_event import Call, Clock, Service, attempt, poisson

WORKERS, SERVICE_S = 20, 0.1
CAPACITY_RPS = WORKERS / SERVICE_S
PULSE_AT_S, PULSE_S, PULSE = 60, 20, 1.4


@pytest.mark.parametrize(("workers", "utilization"), [(1, 0.5), (4, 0.7), (16, 0.8)])
def test_the_reference_agrees_with_closed_forms(workers: int, utilization: float) -> None:
    clock, rng = Clock(), random.Random(11)
    service = Service(clock, rng, workers, 0.02)
    rate = utilization * workers / 0.02
    poisson(clock, rng, lambda _: rate, lambda: service.request(lambda _: None))
    clock.run(150_000 / rate)
    latencies = sorted(service.latencies_s)
    mean = sum(latencies) / len(latencies)
    assert mean == pytest.approx(sojourn_s(0.02, workers, utilization), rel=0.03)
    p95 = latencies[int(0.95 * len(latencies))]
    assert p95 == pytest.approx(sojourn_quantile_s(0.95, 0.02, workers, utilization), rel=0.04)
    assert service.busy_s / clock.now / workers == pytest.approx(utilization, rel=0.02)


def test_the_reference_counts_timeouts_and_retries_exactly() -> None:
    """One worker that takes ten times as long as its client waits: every call fails R + 1 times."""
    clock, rng = Clock(), random.Random(1)
    service = Service(clock, rng, 1, 1e9)
    call = Call(service, timeout_s=1.0, retries=3, backoff_s=0.001)
    outcomes: list[bool] = []
    attempt(clock, rng, call, outcomes.append)
    clock.run(10.0)
    assert outcomes == [False]
    assert (service.attempts, service.waiting) == (4, 3)  # abandoned work stays


@pytest.mark.slow
@pytest.mark.parametrize("cv", [0.5, 1.5, 2.0])
@pytest.mark.parametrize("workers", [4, 16])
def test_many_workers_with_service_times_of_any_spread(workers: int, cv: float) -> None:
    utilization, service_s = 0.8, 0.02
    rate = utilization * workers / service_s
    clock, rng = Clock(), random.Random(5)
    reference = Service(clock, rng, workers, service_s, service_cv=cv)
    poisson(clock, rng, lambda _: rate, lambda: reference.request(lambda _: None))
    clock.run(600_000 / rate)
    expected = sum(reference.latencies_s) / len(reference.latencies_s)
    service = {
        "name": "queue", "ingress_rps": rate, "replicas": 1, "workers": workers,
        "service_time_ms": 1e3 * service_s, "service_time_cv": cv, "queue_limit": 1_000_000,
        "memory": {"per_request_kb": 0},
    }  # fmt: skip
    simulation = Simulation(parse_topology({"services": [service]}), copies=32, seed=3)
    statistics = RunStatistics(simulation)
    for _ in range(60):
        statistics.add(simulation.next_frame())
    mean = statistics.report()["queue"]["latency_ms"]["mean"]
    assert mean == pytest.approx(1e3 * expected, rel=0.08)


def client_and_queue(load: float, **keys: Any) -> Topology:
    """A client without limits of its own calls one queue of 20 workers of 0.1 s each."""
    calls = {"service": "queue", "timeout_ms": 500, "retries": 3}
    calls |= {key: keys[key] for key in keys if key == "retry_budget"}
    unlimited = {"replicas": 1, "memory": {"per_request_kb": 0}}
    return parse_topology(
        {
            "services": [
                {
                    "name": "client", "kind": "gateway", "ingress_rps": load * CAPACITY_RPS,
                    "workers": 10_000, "service_time_ms": 0.1, "queue_limit": 10**8,
                    "dependencies": [calls], **unlimited,
                },
                {
                    "name": "queue", "workers": WORKERS, "service_time_ms": 1e3 * SERVICE_S,
                    "queue_limit": keys.get("queue_limit", 10**6), **unlimited,
                },
            ]
        }
    )  # fmt: skip


def attempts_after_a_pulse(
    load: float, *, copies: int = 16, until_s: int = 260, **keys: Any
) -> Any:
    """Attempts over capacity in the last 20 s, long after the pulse, for each copy."""
    simulation = Simulation(client_and_queue(load, **keys), copies=copies, seed=1)
    surge = Fault("client", FaultKind.TRAFFIC_SURGE, PULSE_AT_S, PULSE_S, PULSE / load - 1.0)
    simulation.inject(surge)
    for _ in range((until_s - 20) // 2):
        simulation.next_frame()
    counts = sum(simulation.next_frame().request_count[:, 1] for _ in range(10))
    return counts / 20.0 / CAPACITY_RPS


def reference_after_a_pulse(
    load: float, seed: int, *, until_s: int = 260, queue_limit: float = math.inf,
    retry_budget: float = math.inf,
) -> float:  # fmt: skip
    """Same figure of the discrete-event simulation."""
    clock, rng = Clock(), random.Random(seed)
    queue = Service(clock, rng, WORKERS, SERVICE_S, queue_limit=queue_limit, observing=False)
    call = Call(queue, timeout_s=0.5, retries=3, retry_budget=retry_budget)

    def rate(t_s: float) -> float:
        pulse = PULSE_AT_S <= t_s < PULSE_AT_S + PULSE_S
        return (PULSE if pulse else load) * CAPACITY_RPS

    poisson(clock, rng, rate, lambda: attempt(clock, rng, call, lambda _: None))
    clock.run(until_s - 20)
    before = queue.attempts
    clock.run(until_s)
    return (queue.attempts - before) / 20.0 / CAPACITY_RPS


@pytest.mark.parametrize("load", [0.6, 0.75])
def test_a_retry_storm_outlives_its_trigger(load: float) -> None:
    attempts = attempts_after_a_pulse(load)
    assert (attempts > 3.5 * load).all()
    assert attempts.mean() == pytest.approx(4.0 * load, rel=0.03)


@pytest.mark.parametrize("load", [0.6, 0.75])
def test_a_bounded_queue_or_a_retry_budget_prevents_the_storm(load: float) -> None:
    for keys in ({"queue_limit": 40}, {"retry_budget": 0.2}):
        attempts = attempts_after_a_pulse(load, **keys)
        assert (attempts < 1.25 * load).all()
        assert attempts.mean() == pytest.approx(load, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.6, 0.75])
def test_the_storm_is_that_of_the_reference(load: float) -> None:
    storm = np.mean([reference_after_a_pulse(load, seed) for seed in range(2)])
    assert attempts_after_a_pulse(load).mean() == pytest.approx(storm, rel=0.05)
    calm = np.mean([reference_after_a_pulse(load, seed, queue_limit=40) for seed in range(2)])
    bounded = attempts_after_a_pulse(load, queue_limit=40)
    assert bounded.mean() == pytest.approx(calm, rel=0.05)
    # The reference may spend what it did not use before, so it takes longer to calm down.
    budgeted = [
        reference_after_a_pulse(load, seed, retry_budget=0.2, until_s=600) for seed in range(2)
    ]
    assert np.mean(budgeted) < 1.25 * load


@pytest.mark.slow
def test_the_storm_begins_at_the_load_of_the_reference() -> None:
    """The lowest load from which the collapse lasts, to within 0.05 of capacity."""
    loads = [0.16, 0.2, 0.24, 0.28, 0.32]

    def lasts(attempts: Any, load: float) -> bool:
        return bool(np.median(attempts) > 1.5 * load)

    model = [load for load in loads if lasts(attempts_after_a_pulse(load), load)]
    reference = [
        load
        for load in loads
        if lasts([reference_after_a_pulse(load, seed) for seed in range(3)], load)
    ]
    assert model
    assert reference
    assert min(model) == pytest.approx(min(reference), abs=0.05)


@pytest.mark.slow
def test_chance_alone_collapses_it_about_as_often_as_the_reference() -> None:
    """Without any pulse: hardly ever at 0.85 of capacity, often at 0.9."""

    def share(attempts: Any, load: float) -> float:
        return float(np.mean(np.asarray(attempts) > 1.5 * load))

    def model(load: float) -> float:
        simulation = Simulation(client_and_queue(load), copies=200, seed=1)
        for _ in range(60):
            simulation.next_frame()
        counts = sum(simulation.next_frame().request_count[:, 1] for _ in range(10))
        return share(counts / 20.0 / CAPACITY_RPS, load)

    def reference(load: float) -> float:
        found = []
        for seed in range(16):
            clock, rng = Clock(), random.Random(seed)
            queue = Service(clock, rng, WORKERS, SERVICE_S, observing=False)
            call = Call(queue, timeout_s=0.5, retries=3)
            start = partial(attempt, clock, rng, call, lambda _: None)
            poisson(clock, rng, lambda _: load * CAPACITY_RPS, start)
            clock.run(120)
            before = queue.attempts
            clock.run(140)
            found.append((queue.attempts - before) / 20.0 / CAPACITY_RPS)
        return share(found, load)

    assert model(0.85) <= 0.1
    assert reference(0.85) <= 0.1
    assert 0.2 < model(0.9) / reference(0.9) < 5.0
