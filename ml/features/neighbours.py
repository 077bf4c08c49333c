"""What a service's dependencies and callers look like, and where it stands in the graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.features.trends import filled
from simulator.graph import FloatArray, IntArray, ServiceGraph

MAX_DEPTH = 8
"""Effects further down than so many calls are not followed."""


class _Side:
    """Aggregates values of edges at one of their ends, without a loop."""

    def __init__(self, ends: IntArray, services: int) -> None:
        self._order = np.argsort(ends, kind="stable")
        self._present, self._first = np.unique(ends[self._order], return_index=True)
        self._services = services

    def worst(self, edges: FloatArray) -> FloatArray:
        """Maximum over the edges of each service, (B, E) -> (B, S); NaN without any."""
        result = np.full((len(edges), self._services), np.nan)
        if len(self._order):
            ordered = edges[:, self._order]
            result[:, self._present] = np.fmax.reduceat(ordered, self._first, axis=1)
        return result

    def total(self, edges: FloatArray) -> FloatArray:
        """Sum over the edges of each service, (B, E) -> (B, S); NaN counts as 0."""
        result = np.zeros((len(edges), self._services))
        if len(self._order):
            ordered = filled(edges[:, self._order])
            result[:, self._present] = np.add.reduceat(ordered, self._first, axis=1)
        return result


class Neighbours:
    """Carries values along the graph, for B copies at a time."""

    def __init__(self, graph: ServiceGraph) -> None:
        self._caller, self._callee = graph.caller, graph.callee
        self._downward = _Side(graph.caller, graph.services)
        self._upward = _Side(graph.callee, graph.services)
        heights = longest_paths(graph.caller, graph.callee, graph.services)
        self._depth = int(min(MAX_DEPTH, heights.max(initial=0)))

    def worst_edge(self, edges: FloatArray) -> FloatArray:
        """Maximum over the calls that each service makes, (B, E) -> (B, S)."""
        return self._downward.worst(edges)

    def worst_dependency(self, services: FloatArray) -> FloatArray:
        """Maximum over the services that each service calls."""
        return self._downward.worst(services[:, self._callee])

    def worst_caller(self, services: FloatArray) -> FloatArray:
        """Maximum over the services that call each service."""
        return self._upward.worst(services[:, self._caller])

    def mean_dependency(self, services: FloatArray, edge_rate: FloatArray) -> FloatArray:
        """Mean over the services that each service calls, weighted by call rate (B, E)."""
        return self._mean(self._downward, services[:, self._callee], edge_rate)

    def mean_caller(self, services: FloatArray, edge_rate: FloatArray) -> FloatArray:
        """Mean over the services that call each service, weighted by call rate (B, E)."""
        return self._mean(self._upward, services[:, self._caller], edge_rate)

    def worst_below(self, services: FloatArray) -> FloatArray:
        """Maximum over all services that each one calls, directly or through others."""
        worst = self.worst_dependency(services)
        for _ in range(self._depth - 1):
            further = self._downward.worst(worst[:, self._callee])
            worst = np.fmax(worst, further)
        return worst

    def longest_below(self, own: FloatArray, edge_weight: FloatArray) -> FloatArray:
        """Heaviest path from each service down: its own value plus the heaviest dependency's.

        `edge_weight` (E,) says how much of a dependency counts.
        """
        heaviest = own
        for _ in range(self._depth):
            below = self._downward.worst(heaviest[:, self._callee] * edge_weight)
            heaviest = own + filled(below)
        return heaviest

    @staticmethod
    def _mean(side: _Side, edges: FloatArray, weight: FloatArray) -> FloatArray:
        known = np.where(np.isfinite(edges), filled(weight), 0.0)
        total = side.total(known)
        mean: FloatArray = np.divide(
            side.total(edges * known), total, out=np.full_like(total, np.nan), where=total > 0
        )
        return mean


def longest_paths(start: IntArray, end: IntArray, services: int) -> NDArray[np.intp]:
    """Longest chain of edges that begins at each service, cut off at the number of levels."""
    height = np.zeros(services, dtype=np.intp)
    for _ in range(min(services, 64)):
        following = height.copy()
        np.maximum.at(following, start, height[end] + 1)
        if np.array_equal(following, height):
            break
        height = following
    return np.minimum(height, 64)


def distance_from(entries: NDArray[np.bool_], caller: IntArray, callee: IntArray) -> FloatArray:
    """Fewest calls from an entry to each service, (S,); NaN if none leads there."""
    distance = np.where(entries, 0.0, np.inf)
    for _ in range(len(entries)):
        following = distance.copy()
        np.minimum.at(following, callee, distance[caller] + 1.0)
        if np.array_equal(following, distance):
            break
        distance = following
    return np.where(np.isfinite(distance), distance, np.nan)
