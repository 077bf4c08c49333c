"""A graph is written as a topology document, and read as the same graph, number for number."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from simulator.topologies import SHIPPED, shipped
from simulator.topology.defaults import KIND_DEFAULTS
from simulator.topology.file import parse_topology
from simulator.topology.generator import random_topology
from simulator.topology.resolved import Topology
from telemetry.topology.conversion import document_of, graph_of
from telemetry.topology.reading import parse_specification
from telemetry.topology.specification import KINDS


@pytest.mark.parametrize("topology", [*map(shipped, SHIPPED), random_topology(200, 5)])
def test_what_is_written_is_read(topology: Topology) -> None:
    graph = topology.graph()
    document = document_of(graph)
    read = graph_of(parse_specification(document))
    for field in dataclasses.fields(graph):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(graph, field.name))
    simulated = parse_topology(document).graph()
    np.testing.assert_array_equal(simulated.timeout_ms, graph.timeout_ms)


def test_what_is_not_stated_is_not_known() -> None:
    stated = "services: [{name: a, dependencies: [{service: b, timeout_ms: 70}]}, {name: b}]"
    graph = graph_of(parse_specification(stated))
    assert graph.timeout_ms.tolist() == [70.0]
    assert graph.required.tolist() == [True]
    assert graph.entry.tolist() == [True, False]
    for name in ("retries", "calls_per_request", "replicas", "slo_latency_ms"):
        assert np.isnan(getattr(graph, name)).all(), name
    np.testing.assert_array_equal(graph.ingress_rps, [np.nan, 0.0])
    again = graph_of(parse_specification(document_of(graph)))
    np.testing.assert_array_equal(again.ingress_rps, graph.ingress_rps)


def test_load_enters_a_cycle_at_its_first_service() -> None:
    stated = "services: [{name: a, dependencies: [b]}, {name: b, dependencies: [a]}]"
    assert graph_of(parse_specification(stated)).entry.tolist() == [True, False]


def test_each_kind_has_defaults() -> None:
    assert tuple(KIND_DEFAULTS) == KINDS
