"""Systems that are simulated as one have nothing to do with each other."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.side_by_side import prefixed_fault, side_by_side
from simulator.simulation import Simulation
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind

SYSTEMS = [shipped("default"), shipped("boutique"), shipped("default")]
FIRST = np.cumsum([0, *(len(system.services) for system in SYSTEMS)])


def part(number: int) -> slice:
    return slice(int(FIRST[number]), int(FIRST[number + 1]))


def test_every_system_is_there_with_its_own_calls() -> None:
    graph = side_by_side(SYSTEMS).graph()
    edges = 0
    for number, system in enumerate(SYSTEMS):
        own, inside = system.graph(), part(number)
        assert tuple(name.partition("-")[2] for name in graph.names[inside]) == own.names
        of_system = (graph.caller >= inside.start) & (graph.caller < inside.stop)
        assert (graph.caller[of_system] - inside.start).tolist() == own.caller.tolist()
        assert (graph.callee[of_system] - inside.start).tolist() == own.callee.tolist()
        edges += own.edges
    assert graph.edges == edges


def test_a_fault_in_one_system_does_not_change_a_bit_of_another() -> None:
    calm, struck = (Simulation(side_by_side(SYSTEMS), copies=3, seed=4) for _ in range(2))
    fault = Fault("database", FaultKind.SERVICE_KILL, 20.0, 60.0)
    struck.inject(prefixed_fault(fault, 2))
    harmed = False
    for _ in range(40):
        before, after = calm.next_frame(), struck.next_frame()
        for number in (0, 1):
            np.testing.assert_array_equal(
                before.latency_p95_ms[:, part(number)], after.latency_p95_ms[:, part(number)]
            )
        harmed |= bool((after.error_rate_percent[:, part(2)] > 50.0).any())
    assert harmed


def test_a_system_behaves_in_company_as_it_does_alone() -> None:
    frames = 100
    together = Simulation(side_by_side(SYSTEMS), copies=16, seed=5)
    alone = Simulation(SYSTEMS[1], copies=16, seed=6)
    sums = np.zeros((2, 2, len(SYSTEMS[1].services)))
    for _ in range(frames):
        one, other = together.next_frame(), alone.next_frame()
        sums[0] += one.latency_ms[:, part(1)].mean(axis=0), one.cpu_percent[:, part(1)].mean(axis=0)
        sums[1] += other.latency_ms.mean(axis=0), other.cpu_percent.mean(axis=0)
    assert sums[0] == pytest.approx(sums[1], rel=0.02)
