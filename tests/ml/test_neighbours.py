"""Values carried along the graph: the same as a walk from service to service would find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ml.features.neighbours import MAX_DEPTH, Neighbours
from simulator.topology.file import parse_topology
from telemetry.graph import FloatArray, ServiceGraph

COPIES = 3
SHAPES: dict[str, list[list[int]]] = {
    "alone": [[]],
    "apart": [[], [2], []],
    "diamond": [[1, 2], [3], [3], []],
    "two in a cycle": [[1], [0]],
    "a cycle on the way": [[1], [2, 4], [3], [1], [5], [], [0, 5]],
    "a chain longer than is followed": [[i + 1] for i in range(MAX_DEPTH + 5)] + [[]],
    "many callees and many callers": [list(range(1, 81)), *([81] for _ in range(80)), []],
    "random": [sorted(set(np.random.default_rng(i).integers(i + 1, 60, i % 12))) for i in range(59)]
    + [[]],
}


@pytest.fixture(params=SHAPES, name="graph")
def graph_of(request: pytest.FixtureRequest) -> ServiceGraph:
    """Give a system of each shape."""
    services = [
        {
            "name": f"s{i}",
            "ingress_rps": 20.0 * (i == 0),
            "dependencies": [
                {"service": f"s{callee}", "calls_per_request": 0.5 / len(callees)}
                for callee in callees
            ],
        }
        for i, callees in enumerate(SHAPES[request.param])
    ]
    document = {"name": "shape", "services": services}
    return parse_topology(document, source=request.param).graph()


def some(graph: ServiceGraph, size: int, missing: float = 0.2) -> FloatArray:
    rng = np.random.default_rng(graph.services)
    values = rng.normal(size=(size, COPIES))
    values[rng.random(values.shape) < missing] = np.nan
    return values


def calls(graph: ServiceGraph, services: set[int]) -> Iterator[int]:
    """Edges whose caller is one of these."""
    return (e for e in range(graph.edges) if graph.caller[e] in services)


def worst_of(values: list[FloatArray]) -> FloatArray:
    return np.fmax.reduce([np.full(COPIES, np.nan), *values])


def test_extremes_are_those_of_the_direct_neighbours(graph: ServiceGraph) -> None:
    near = Neighbours(graph)
    services, edges = some(graph, graph.services), some(graph, graph.edges)
    for s in range(graph.services):
        down, up = np.flatnonzero(graph.caller == s), np.flatnonzero(graph.callee == s)
        for found, expected in (
            (near.worst_edge(edges), edges[down]),
            (near.worst_dependency(services), services[graph.callee[down]]),
            (near.worst_caller(services), services[graph.caller[up]]),
        ):
            np.testing.assert_array_equal(found[s], worst_of(list(expected)))


def test_sums_are_those_of_the_direct_neighbours(graph: ServiceGraph) -> None:
    near, edges = Neighbours(graph), some(graph, graph.edges, missing=0.0)
    for s in range(graph.services):
        down, up = edges[graph.caller == s], edges[graph.callee == s]
        np.testing.assert_allclose(near.total_edge(edges)[s], down.sum(axis=0), atol=1e-12)
        np.testing.assert_allclose(near.total_incoming(edges)[s], up.sum(axis=0), atol=1e-12)


def test_what_is_below_is_found_as_deep_as_is_followed(graph: ServiceGraph) -> None:
    values = some(graph, graph.services)
    # In a cycle of a few services, the longest way is once around.
    depth = min(MAX_DEPTH, graph.services)
    found = Neighbours(graph).worst_below(values)
    for s in range(graph.services):
        reached: set[int] = set()
        level = {s}
        for _ in range(depth):
            level = {int(graph.callee[e]) for e in calls(graph, level)}
            reached |= level
        np.testing.assert_array_equal(found[s], worst_of([values[i] for i in reached]))


def test_the_longest_path_is_the_heaviest_of_all_walks(graph: ServiceGraph) -> None:
    own = np.abs(some(graph, graph.services, missing=0.0))
    often = np.random.default_rng(1).uniform(0.0, 2.0, graph.edges)
    often[::5] = np.nan
    weight = np.minimum(np.where(np.isnan(often), 1.0, often), 1.0)
    found = Neighbours(replace(graph, calls_per_request=often)).longest_below(own)
    heaviest = own
    for _ in range(min(MAX_DEPTH, graph.services)):
        heaviest = own + [
            np.max(
                [
                    np.zeros(COPIES),
                    *(heaviest[graph.callee[e]] * weight[e] for e in calls(graph, {s})),
                ],
                axis=0,
            )
            for s in range(graph.services)
        ]
    np.testing.assert_allclose(found, heaviest, rtol=1e-12)
