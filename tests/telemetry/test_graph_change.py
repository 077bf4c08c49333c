"""From one graph to the next: values and their ages stay with their services and edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator.simulation import Simulation
from simulator.topology.file import parse_topology
from telemetry.frame import Age
from telemetry.graph import ServiceGraph
from telemetry.graph_change import GraphChange
from telemetry.metrics import EDGE_METRICS, SERVICE_METRICS


def system(**calls: list[str]) -> ServiceGraph:
    services = [{"name": name, "dependencies": callees} for name, callees in calls.items()]
    return parse_topology({"name": "made", "services": services}).graph()


def test_values_and_ages_go_with_their_services_and_edges() -> None:
    before = parse_topology(
        {"name": "made", "services": [{"name": "a", "dependencies": ["b", "c"]},
                                      {"name": "b"}, {"name": "c"}]}
    )  # fmt: skip
    frame = Simulation(before, seed=1).next_frame()
    age = Age(np.array([[1.0, 2.0, 3.0]]), np.array([[4.0, 5.0, 6.0]]), np.array([[7.0, 8.0]]))
    after = system(new=["a"], c=[], a=["c"])
    changed = GraphChange.between(before.graph(), after).of_frame(replace(frame, age=age))
    for metric in SERVICE_METRICS:
        old, new = getattr(frame, metric.field), getattr(changed, metric.field)
        np.testing.assert_array_equal(new, [[np.nan, old[0, 2], old[0, 0]]])
    for metric in EDGE_METRICS:
        old, new = getattr(frame, metric.field), getattr(changed, metric.field)
        np.testing.assert_array_equal(new, [[np.nan, old[0, 1]]])
    assert changed.age is not None
    np.testing.assert_array_equal(changed.age.requests_s, [[np.nan, 3.0, 1.0]])
    np.testing.assert_array_equal(changed.age.resources_s, [[np.nan, 6.0, 4.0]])
    np.testing.assert_array_equal(changed.age.edges_s, [[np.nan, 8.0]])
    assert GraphChange.between(before.graph(), after).of_frame(frame).age is None
