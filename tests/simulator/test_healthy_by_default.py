"""A file of names and dependencies runs healthy, whatever its shape, and does real work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.definitions.breach import breached
from simulator.simulation import Simulation
from simulator.topologies import SHIPPED, shipped
from simulator.topology.file import parse_topology
from simulator.topology.generator import random_topology
from simulator.topology.resolved import Topology


def expect_health(topology: Topology, seconds: float = 120.0, copies: int = 4) -> None:
    simulation = Simulation(topology, copies=copies, seed=1)
    served = np.zeros(simulation.graph.services)
    frames = int(seconds / 2)
    for _ in range(frames):
        frame = simulation.next_frame()
        assert not breached(frame, simulation.graph).any()
        served += frame.throughput_rps.mean(axis=0) / frames
    ingress = np.array([service.ingress_rps for service in topology.services])
    entries = ingress > 0
    assert entries.any()
    # What enters is served; an entry that others call as well serves more than its ingress.
    assert (served[entries] >= 0.95 * ingress[entries]).all()


def bare(callees: dict[int, list[int]]) -> Topology:
    services: list[dict[str, Any]] = [
        {"name": f"s{i}", "dependencies": [f"s{j}" for j in targets]}
        for i, targets in callees.items()
    ]
    return parse_topology({"services": services})


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_topologies_are_healthy(name: str) -> None:
    expect_health(shipped(name), seconds=600.0)


@pytest.mark.parametrize(
    "callees",
    [
        {i: [i + 1] if i < 29 else [] for i in range(30)},
        {0: list(range(1, 61)), **{i: [] for i in range(1, 61)}},
        {i: [(i + 1) % 6] for i in range(6)},
        {i: [j for j in (2 * i + 1, 2 * i + 2) if j < 31] for i in range(31)},
        {0: [1, 2], 1: [0, 2], 2: [1]},
        {0: []},
    ],
    ids=["chain of 30", "fan-out of 60", "cycle", "tree", "tangle", "one service"],
)
def test_shapes_without_any_figure_are_healthy(callees: dict[int, list[int]]) -> None:
    expect_health(bare(callees))


@settings(max_examples=15, deadline=None)
@given(edges=st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=40, unique=True))
def test_any_graph_is_healthy(edges: list[tuple[int, int]]) -> None:
    callees: dict[int, list[int]] = {i: [] for i in range(15)}
    for caller, callee in edges:
        if caller != callee:
            callees[caller].append(callee)
    expect_health(bare(callees), seconds=60.0, copies=2)


@settings(max_examples=10, deadline=None)
@given(services=st.integers(2, 40), seed=st.integers(0, 1000))
def test_generated_systems_are_healthy(services: int, seed: int) -> None:
    expect_health(random_topology(services, seed), seconds=60.0, copies=8)


@pytest.mark.slow
def test_five_thousand_services_are_healthy_for_ten_minutes() -> None:
    expect_health(random_topology(5000, 1), seconds=600.0, copies=1)
