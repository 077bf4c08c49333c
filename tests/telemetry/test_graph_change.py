"""Values of services and calls go with them when a graph changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from telemetry.frame import Age
from telemetry.graph import ServiceGraph
from telemetry.graph_change import NEW, GraphChange
from tests.server.pipeline.frames import frame, system


def test_places_are_found_by_name_and_by_the_names_of_both_ends() -> None:
    before = system({"edge": ["cart", "mail"], "cart": ["store"], "store": [], "mail": []})
    after = system({"cart": ["store", "price"], "price": ["store"], "store": [], "edge": ["cart"]})
    change = GraphChange(before, after)
    assert change.services.tolist() == [1, NEW, 2, 0]
    assert change.removed == {3}
    assert change.place == {1: 0, 2: 2, 0: 3}
    ends = [
        (after.names[a], after.names[b]) for a, b in zip(after.caller, after.callee, strict=True)
    ]
    known = dict(zip(ends, change.edges.tolist(), strict=True))
    assert known["cart", "store"] == 2
    assert known["edge", "cart"] == 0
    assert known["cart", "price"] == known["price", "store"] == NEW


def test_values_are_rearranged_and_what_is_new_is_filled() -> None:
    change = between(["edge", "cart", "store", "mail"], ["store", "new", "edge"])
    values = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    np.testing.assert_array_equal(
        change.of_services(values, 0.0), [[3.0, 0.0, 1.0], [7.0, 0.0, 5.0]]
    )
    assert values[0].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_frame_of_before_has_gaps_where_nobody_was() -> None:
    change = between(["edge", "cart", "store", "mail"], ["store", "new"])
    shown = change.of_frame(frame(3, {"store": {"cpu_percent": 77.0}}))
    assert (shown.t_s, shown.interval_s) == (6.0, 2.0)
    assert shown.cpu_percent[0, 0] == 77.0
    assert np.isnan(shown.cpu_percent[0, 1])
    assert shown.edge_latency_ms.shape == (1, 0)


def test_ages_go_with_their_values_and_what_is_new_was_never_observed() -> None:
    change = between(["edge", "cart", "store", "mail"], ["store", "new"])
    age = Age(np.array([[0.0, 2.0, 4.0, 6.0]]), np.array([[0.0, 0.0, 8.0, 0.0]]), np.zeros((1, 3)))
    found = change.of_frame(replace(frame(), age=age)).age
    assert found is not None
    np.testing.assert_array_equal(found.requests_s, [[4.0, np.nan]])
    np.testing.assert_array_equal(found.resources_s, [[8.0, np.nan]])
    assert found.edges_s.shape == (1, 0)


def between(before: list[str], after: list[str]) -> GraphChange:
    return GraphChange(alone(before), alone(after))


def alone(names: list[str]) -> ServiceGraph:
    return system({name: [] for name in names})
