"""How failures spread: along the graph, as things are, and against what happened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.definitions.incidents import Incident
from ml.episodes.recording import Recording
from ml.evaluation.cascade_events import cascade_figures, spread_rows
from ml.features import NAMES
from ml.features.reach import reach
from ml.serving.cascade import EDGE_INPUTS, Spread, edge_inputs
from simulator.topologies import shipped
from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology


def diamond() -> Topology:
    """Entry a calls b and c; both call d."""
    return parse_topology(
        {
            "services": [
                {"name": "a", "dependencies": ["b", "c"]},
                {"name": "b", "dependencies": ["d"]},
                {"name": "c", "dependencies": ["d"]},
                {"name": "d"},
            ]
        }
    )


def recording(*incidents: tuple[int, int, int]) -> Recording:
    """One episode of the diamond; incidents by service, onset and end."""
    graph = diamond().graph()
    shape = (200, 1, 4)
    features = np.full((*shape, len(NAMES)), np.nan, dtype=np.float32)
    nothing = np.zeros(shape, dtype=np.bool_)
    found = tuple(Incident(0, service, onset, end) for service, onset, end in incidents)
    return Recording(
        "diamond", graph, features, nothing, nothing, ~nothing, found, (0,) * len(found)
    )


def test_paths_to_the_entries_combine_as_independent_ones() -> None:
    graph = diamond().graph()
    spread = np.array([0.5, 0.2, 0.4, 0.3])  # a->b, a->c, b->d, c->d
    risk = reach(graph, spread)
    assert risk[:3] == pytest.approx([1.0, 0.5, 0.2])
    assert risk[3] == pytest.approx(1.0 - (1.0 - 0.4 * 0.5) * (1.0 - 0.3 * 0.2))


def test_a_cycle_has_a_fixed_point() -> None:
    topology = parse_topology(
        {
            "services": [
                {"name": "a", "dependencies": ["b"]},
                {"name": "b", "dependencies": ["c"]},
                {"name": "c", "dependencies": ["b"]},
            ]
        }
    )
    risk = reach(topology.graph(), np.full(3, 0.5))
    # b = 1 - (1 - 0.5)(1 - 0.5 c) and c = 0.5 b
    assert risk[1] == pytest.approx(0.5 / (1.0 - 0.125), abs=1e-5)
    assert risk[2] == pytest.approx(0.5 * risk[1], abs=1e-5)


def test_what_is_not_known_is_taken_as_usual() -> None:
    graph = shipped("default").graph()
    unknown = np.full((graph.services, len(NAMES)), np.nan)
    inputs = edge_inputs(graph, unknown)
    assert inputs.shape == (graph.edges, len(EDGE_INPUTS))
    assert np.isfinite(inputs).all()


def test_a_caller_follows_only_within_a_minute_and_if_it_was_well() -> None:
    # d fails at 50: b follows at 60, c much later.
    rows = spread_rows(recording((3, 50, 70), (1, 60, 90), (2, 120, 150)))
    assert len(rows.followed) == 4  # d to b and c, b to a, c to a
    assert rows.followed.sum() == 1
    # b was in trouble before d failed: it says nothing.
    rows = spread_rows(recording((1, 20, 90), (3, 50, 70)))
    assert len(rows.followed) == 2  # b to a, d to c
    assert not rows.followed.any()


def test_the_risk_is_scored_against_entries_that_followed() -> None:
    certain = Spread(np.zeros(len(EDGE_INPUTS)), 30.0)
    never = replace(certain, intercept=-30.0)
    reached = recording((3, 50, 70), (0, 55, 80))
    assert cascade_figures([reached], certain)["brier"] == pytest.approx(0.0, abs=1e-6)
    assert cascade_figures([reached], never)["brier"] == pytest.approx(1.0, abs=1e-6)
    spared = recording((3, 50, 70))
    figures = cascade_figures([spared], never)
    assert (figures["incidents"], figures["reached_an_entry"]) == (1, 0)
    assert figures["brier"] == pytest.approx(0.0, abs=1e-6)
    # An entry that is in trouble already cannot tell.
    assert cascade_figures([recording((0, 20, 90), (3, 50, 70))], certain)["incidents"] == 0
