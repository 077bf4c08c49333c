"""Random systems have the statistics of simulation.md, section 2."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.topology.generator import random_document, random_topology
from telemetry.topology.call_graph import depth, walk


@pytest.mark.parametrize("seed", [1, 2])
def test_large_systems_have_the_published_shape(seed: int) -> None:
    services = 5000
    topology = random_topology(services, seed)
    graph = topology.graph()
    fan_out = np.bincount(graph.caller, minlength=services)
    fan_in = np.bincount(graph.callee, minlength=services)
    assert np.mean(fan_out == 0) == pytest.approx(0.15, abs=0.03)
    assert np.median(fan_out) == pytest.approx(4, abs=1)
    assert np.quantile(fan_out, 0.9) == pytest.approx(23, rel=0.2)
    assert np.mean(fan_in == 0) == pytest.approx(0.39, abs=0.03)
    assert np.median(fan_in) == 1
    # Both studies at once cannot be had: fewer edges than the fan-in of the one would need.
    assert np.quantile(fan_in, 0.9) == pytest.approx(19, rel=0.5)
    assert np.quantile(fan_in, 0.99) == pytest.approx(201, rel=0.3)
    popular = np.sort(fan_in)[-services // 20 :].sum() / graph.edges
    assert popular == pytest.approx(0.82, abs=0.08)


def test_systems_together_have_the_published_replicas() -> None:
    documents = [random_document(1000, seed) for seed in range(12)]
    replicas = [service["replicas"] for system in documents for service in system["services"]]
    assert np.median(replicas) == pytest.approx(8, abs=3)
    assert np.quantile(replicas, 0.9) == pytest.approx(650, rel=0.3)


@pytest.mark.parametrize("services", [2, 3, 5, 20, 60, 400])
@pytest.mark.parametrize("seed", range(5))
def test_systems_of_any_size_are_two_to_six_calls_deep_and_sized_for_their_load(
    services: int, seed: int
) -> None:
    topology = random_topology(services, seed)
    graph = topology.graph()
    callees = [graph.callee[graph.caller == i].tolist() for i in range(services)]
    entries = np.flatnonzero(graph.entry).tolist()
    deep = depth(callees, walk(callees, entries))
    assert min(2, services - 1) <= deep <= 6
    assert set(np.flatnonzero(~graph.entry)) == set(graph.callee)
    for service in topology.services:
        busy = service.arrival_rps * service.service_time_ms / 1e3
        assert busy / (service.replicas * service.workers) <= 0.5
    assert topology.warnings == ()


def test_the_same_seed_gives_the_same_system() -> None:
    assert random_document(30, 4) == random_document(30, 4)
    assert random_document(30, 4) != random_document(30, 5)
