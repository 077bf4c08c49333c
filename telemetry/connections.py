"""Which services are connected along calls."""

from __future__ import annotations

import numpy as np

from telemetry.graph import IntArray


def reachable(sources: IntArray, tail: IntArray, head: IntArray, nodes: int) -> IntArray:
    """Nodes that edges, from `tail` to `head`, lead to from any of some nodes, these included."""
    reached = np.zeros(nodes, dtype=np.bool_)
    reached[sources] = True
    while not reached[found := head[reached[tail]]].all():
        reached[found] = True
    return np.flatnonzero(reached)


def components(one: IntArray, other: IntArray, nodes: int) -> IntArray:
    """Lowest node of the component that each node belongs to, (N,); edges have no direction."""
    lowest = np.arange(nodes)
    while True:
        lower = lowest.copy()
        np.minimum.at(lower, one, lowest[other])
        np.minimum.at(lower, other, lowest[one])
        lower = lower[lower]
        if (lower == lowest).all():
            return lowest
        lowest = lower
