"""What is connected, against SciPy's own algorithms on random graphs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from telemetry.connections import components, reachable


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_are_connected_as_scipy_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(1, 200))
    tail, head = rng.integers(0, nodes, (2, int(rng.integers(0, 2 * nodes))))
    edges = coo_array((np.ones(len(tail)), (tail, head)), shape=(nodes, nodes)).tocsr()
    for source in rng.integers(0, nodes, 5):
        expected = breadth_first_order(edges, source, return_predecessors=False)
        assert set(reachable(np.array([source]), tail, head, nodes)) == set(expected)
    labels = connected_components(edges, directed=False)[1]
    found = components(tail, head, nodes)
    assert len(set(zip(labels.tolist(), found.tolist(), strict=True))) == labels.max() + 1
    assert len(set(found.tolist())) == labels.max() + 1


def test_nodes_without_edges_are_on_their_own() -> None:
    none = np.empty(0, dtype=np.intp)
    assert components(none, none, 3).tolist() == [0, 1, 2]
    assert reachable(np.array([1]), none, none, 3).tolist() == [1]


def test_a_long_chain_is_one() -> None:
    chain = np.arange(4999)
    assert not components(chain + 1, chain, 5000).any()
    assert len(reachable(np.array([0]), chain, chain + 1, 5000)) == 5000
