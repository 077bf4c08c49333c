"""What single keys of the topology file do, against closed forms or discrete events."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from simulator.laws.fan_out import FanOut
from simulator.simulation import Simulation
from simulator.topology.file import parse_topology
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame
from tests.simulator.discrete_event import Call, Clock, Service, attempt, poisson


def frames(services: list[dict[str, Any]], seconds: float, *faults: Fault) -> list[Frame]:
    simulation = Simulation(parse_topology({"services": services}), seed=1)
    for fault in faults:
        simulation.inject(fault)
    return [simulation.next_frame() for _ in range(int(seconds / 2))]


def mean(observed: list[Frame], name: str, service: int = 0) -> float:
    return float(np.nanmean([getattr(frame, name)[0, service] for frame in observed]))


@pytest.mark.parametrize(("calls", "cv"), [(2, 1.0), (5, 1.0), (20, 1.0), (3, 0.5), (4, 1.4)])
def test_the_longest_of_parallel_calls_has_the_law_of_a_maximum(calls: int, cv: float) -> None:
    together = FanOut(np.zeros(calls, dtype=np.intp), np.ones((calls, 1)), np.array([True]))
    first, second = np.full((calls, 1), 0.1), np.full((calls, 1), 0.01 * (1.0 + cv * cv))
    longest, variance = together.longest(first, second)
    drawn = np.random.default_rng(1).gamma(cv**-2, 0.1 * cv**2, (200_000, calls)).max(axis=1)
    assert longest[0, 0] == pytest.approx(drawn.mean(), rel=0.01)
    assert np.sqrt(variance[0, 0]) == pytest.approx(drawn.std(), rel=0.02)


@pytest.mark.parametrize("parallel", [False, True])
def test_calls_in_parallel_and_in_turn_take_as_long_as_in_the_reference(parallel: bool) -> None:
    clock, rng = Clock(), random.Random(2)
    leaves = [Service(clock, rng, 8, ms / 1e3) for ms in (40.0, 60.0, 80.0)]
    often = [1.0, 0.5, 1.0]
    reference = Service(
        clock, rng, 8, 0.01, parallel=parallel,
        calls=[Call(leaf, n) for leaf, n in zip(leaves, often, strict=True)],
    )  # fmt: skip
    poisson(clock, rng, lambda _: 50.0, lambda: reference.request(lambda _: None))
    clock.run(2000.0)
    expected = float(np.mean(reference.latencies_s))

    own = {"replicas": 1, "workers": 8, "queue_limit": 10_000}
    leaf = [{"name": f"leaf-{ms}", "service_time_ms": ms, **own} for ms in (40, 60, 80)]
    top = {
        "name": "top", "service_time_ms": 10, "ingress_rps": 50, "parallel_calls": parallel, **own,
        "dependencies": [
            {"service": service["name"], "calls_per_request": n, "timeout_ms": 10_000}
            for service, n in zip(leaf, often, strict=True)
        ],
    }  # fmt: skip
    simulation = Simulation(parse_topology({"services": [top, *leaf]}), copies=8, seed=1)
    seen = []
    for _ in range(100):
        simulation.next_frame()
        seen.append(simulation.service_latency.mean_s[:, 0].mean())
    assert np.mean(seen[10:]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("load", [0.9, 1.2, 1.6])
def test_cancelled_work_makes_room_as_in_the_reference(load: float) -> None:
    """An overloaded queue without cancellation serves nobody in time, with it nearly as before."""
    workers, service_s, timeout_s = 20, 0.1, 1.0
    rate = load * workers / service_s

    def model(cancel: bool) -> float:
        caller = {
            "name": "caller", "ingress_rps": rate, "workers": 400, "service_time_ms": 0.5,
            "dependencies": [
                {
                    "service": "callee", "timeout_ms": 1e3 * timeout_s, "retries": 0,
                    "calls_per_request": 1.0, "cancel_on_timeout": cancel,
                }
            ],
        }  # fmt: skip
        callee = {
            "name": "callee", "replicas": 1, "workers": workers, "queue_limit": 1_000_000,
            "service_time_ms": 1e3 * service_s, "memory": {"per_request_kb": 0},
        }  # fmt: skip
        return mean(frames([caller, callee], 300.0)[60:], "throughput_rps", 1)

    clock, rng = Clock(), random.Random(3)
    service = Service(clock, rng, workers, service_s)
    call = Call(service, timeout_s=timeout_s, cancels=True)
    good = [0]

    def ended(success: bool) -> None:
        good[0] += success

    poisson(clock, rng, lambda _: rate, lambda: attempt(clock, rng, call, ended))
    clock.run(600.0)
    assert model(cancel=True) == pytest.approx(good[0] / 600.0, rel=0.05)
    if load > 1.0:
        assert model(cancel=False) < 0.05 * rate


def test_fresh_replicas_are_slow_until_they_are_warm() -> None:
    service = {
        "name": "one", "workers": 16, "service_time_ms": 50, "ingress_rps": 60, "startup_s": 5,
        "warmup": {"seconds": 20, "slowdown": 3},
    }  # fmt: skip
    seen = frames([service], 240.0, Fault("one", FaultKind.SERVICE_KILL, 60.0, 20.0))
    before, fresh, warm = (mean(seen[i : i + 3], "latency_ms") for i in (25, 43, 110))
    assert before == pytest.approx(50.0, rel=0.1)
    assert fresh > 2.2 * before
    assert warm == pytest.approx(before, rel=0.1)


def test_too_few_cores_stretch_the_work() -> None:
    service = {"name": "one", "replicas": 1, "workers": 16, "service_time_ms": 50}
    plenty = frames([{**service, "ingress_rps": 80}], 120.0)[10:]
    assert mean(plenty, "cpu_percent") == pytest.approx(5 + 85 * 4 / 16, abs=3.0)
    scarce = frames([{**service, "ingress_rps": 80, "cores": 3}], 120.0)[10:]
    assert mean(scarce, "cpu_percent") > 95.0
    assert mean(scarce, "latency_ms") > 1.1 * mean(plenty, "latency_ms")


def caller_of_a_failing_callee(**dependency: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": "caller", "ingress_rps": 100,
            "dependencies": [{"service": "callee", "retries": 0, **dependency}],
        },
        {"name": "callee"},
    ]  # fmt: skip


def test_a_breaker_opens_at_the_share_that_is_set() -> None:
    fault = Fault("callee", FaultKind.ERROR_BURST, 20.0, 100.0, 1.5)  # 30 % errors
    for share, opens in ((0.2, True), (0.5, False)):
        services = caller_of_a_failing_callee(circuit_breaker={"error_share": share, "open_s": 60})
        during = frames(services, 100.0, fault)[20:40]
        assert (mean(during, "cpu_percent", 1) < 10.0) == opens


def test_a_longer_backoff_lets_retries_wait_longer() -> None:
    fault = Fault("callee", FaultKind.ERROR_BURST, 20.0, 60.0, 5.0)
    waiting = []
    for initial_ms in (50.0, 5000.0):
        simulation = Simulation(
            parse_topology(
                {
                    "services": caller_of_a_failing_callee(
                        retries=2, backoff={"initial_ms": initial_ms, "max_ms": 10_000}
                    )
                }
            ),
            seed=1,
        )
        simulation.inject(fault)
        for _ in range(25):
            simulation.next_frame()
        waiting.append(float(simulation.state.orbit.sum()))
    # Every call fails; by Little's law a retry waits half of its backoff: 2.5 s, then 5 s.
    assert waiting[1] == pytest.approx(100.0 * (2.5 + 5.0), rel=0.1)
    assert waiting[0] < 0.1 * waiting[1]


@pytest.mark.parametrize(
    ("timeout_ms", "step_s"), [(5000.0, 0.25), (1000.0, 0.2), (300.0, 2 / 34), (10.0, 0.05)]
)
def test_a_step_resolves_the_shortest_timeout(timeout_ms: float, step_s: float) -> None:
    services = caller_of_a_failing_callee(timeout_ms=timeout_ms)
    simulation = Simulation(parse_topology({"services": services}))
    assert simulation.parameters.step_s == pytest.approx(step_s)
    simulation.next_frame()
    assert simulation.time_s == pytest.approx(2.0)
