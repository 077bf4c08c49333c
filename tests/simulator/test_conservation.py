"""No request is lost or made up, and chance is the seed's alone."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.dynamics.load import Load
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology.generator import random_topology
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame


@settings(max_examples=25, deadline=None)
@given(
    services=st.integers(2, 20),
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(list(FaultKind)),
    intensity=st.floats(0.2, 3.0),
)
def test_requests_in_are_served_failed_rejected_or_inside(
    services: int, seed: int, kind: FaultKind, intensity: float
) -> None:
    topology = random_topology(services, seed)
    graph = topology.graph()
    simulation = Simulation(topology, copies=2, seed=seed)
    target = 0 if kind is FaultKind.TRAFFIC_SURGE else seed % services
    simulation.inject(Fault(graph.names[target], kind, 1.0, 6.0, intensity))
    for _ in range(60):
        before = simulation.state
        flows = simulation.advance()
        after, queue = simulation.state, flows.queue
        inside = after.in_system - before.in_system
        ended = queue.rejected + queue.lost + queue.cancelled + queue.departed
        np.testing.assert_allclose(queue.arrived, inside + ended, rtol=1e-9, atol=1e-6)
        for values in (queue.rejected, queue.lost, queue.departed, after.in_system):
            assert (values >= -1e-9).all()
        # Attempts: what was made has ended or is outstanding; failures wait, or are over.
        outcome, offered = flows.outcome, flows.offered
        p = simulation.parameters
        edges = slice(p.edges)
        made = offered.first.copy()
        made[edges] += offered.retries.sum(axis=0)
        waiting = (after.outstanding - before.outstanding).sum(axis=0)
        np.testing.assert_allclose(made, outcome.attempts + waiting, rtol=1e-9, atol=1e-6)
        orbit = (after.orbit - before.orbit).sum(axis=0)
        over = outcome.exhausted.copy()
        over[p.budgeted] -= offered.denied
        over[p.gated] -= offered.blocked
        left = offered.left.sum(axis=0)
        failed = outcome.failed[edges]
        np.testing.assert_allclose(orbit, failed - over - left, rtol=1e-9, atol=1e-6)
        served = outcome.ended - outcome.exhausted
        np.testing.assert_allclose(served, outcome.attempts[edges] - failed, atol=1e-6)
        # What callers ask for is made, or a budget or a gate stops it.
        asked = before.departed[p.caller] * p.calls_per_request + left
        answered = made.copy()
        answered[p.budgeted] += offered.denied
        answered[p.gated] += offered.blocked
        np.testing.assert_allclose(asked, answered[edges], rtol=1e-9, atol=1e-9)


def frames(seed: int, copies: int, first_copy: int = 0) -> list[Frame]:
    loads = [Load(0.8 + 0.05 * (first_copy + i), diurnal=True) for i in range(copies)]
    simulation = Simulation(
        shipped("boutique"),
        copies=copies,
        seed=seed,
        loads=loads,
        numbers=range(first_copy, first_copy + copies),
    )
    simulation.inject(Fault("cart", FaultKind.DISK_SLOWDOWN, 4.0, 8.0, 2.0))
    return [simulation.next_frame() for _ in range(12)]


def values(frame: Frame, copy: int) -> list[np.ndarray]:
    named = (getattr(frame, field.name) for field in fields(Frame))
    return [value[copy] for value in named if isinstance(value, np.ndarray)]


def test_a_copy_is_bit_identical_in_any_batch() -> None:
    together, alone = frames(7, 4), frames(7, 1, first_copy=2)
    for many, one in zip(together, alone, strict=True):
        for a, b in zip(values(many, 2), values(one, 0), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(6))
def test_what_happens_to_other_copies_never_matters(seed: int) -> None:
    """Copy 2 alone, and amid copies that meet every kind of fault, along single edges too."""
    topology = random_topology(25, seed)
    graph = topology.graph()
    edge = f"{graph.names[graph.caller[0]]}->{graph.names[graph.callee[0]]}"
    together = Simulation(topology, copies=6, seed=seed)
    alone = Simulation(topology, seed=seed, numbers=[2])
    for copy, kind in enumerate(FaultKind):
        target = "" if kind is FaultKind.CASCADE_FAILURE else graph.names[0]
        if kind is FaultKind.NETWORK_PARTITION:
            target = edge
        place = (0, 1, 3, 4, 5)[copy % 5]
        together.inject(Fault(target, kind, 2.0 + copy, 20.0, 2.0), place)
    leak = Fault(graph.names[-1], FaultKind.MEMORY_LEAK, 5.0, 20.0, 2.0)
    lossy = Fault(graph.names[graph.callee[0]], FaultKind.PACKET_LOSS, 9.0, 20.0, 2.0)
    for fault in (leak, lossy):
        together.inject(fault, 2)
        alone.inject(fault)
    for _ in range(20):
        many, one = together.next_frame(), alone.next_frame()
        for a, b in zip(values(many, 2), values(one, 0), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_fork_with_the_same_chance_is_the_same_run() -> None:
    original = Simulation(random_topology(12, 3), copies=3, seed=5, loads=[Load(diurnal=True)] * 3)
    for _ in range(5):
        original.next_frame()
    same, other = original.fork([0, 1, 2], seed=5), original.fork([1, 1], seed=6)
    assert other.time_s == original.time_s
    ahead = [original.next_frame() for _ in range(5)]
    for frame in ahead:
        again, elsewhere = same.next_frame(), other.next_frame()
        for a, b in zip(values(frame, 1), values(again, 1), strict=True):
            np.testing.assert_array_equal(a, b)
        assert not np.array_equal(elsewhere.cpu_percent[0], elsewhere.cpu_percent[1])


def test_another_seed_is_another_run() -> None:
    assert not np.array_equal(values(frames(7, 1)[-1], 0)[0], values(frames(8, 1)[-1], 0)[0])


def test_a_fault_changes_no_draw_elsewhere() -> None:
    quiet, faulty = (Simulation(shipped("wide-fan-out"), seed=3) for _ in range(2))
    faulty.inject(Fault("leaf-20", FaultKind.CPU_SPIKE, 0.0, 10.0, 0.2))
    i = quiet.graph.index["leaf-11"]
    for _ in range(5):
        a, b = quiet.next_frame(), faulty.next_frame()
        assert a.cpu_percent[0, i] == b.cpu_percent[0, i]
