"""Aggregation over the dependencies and callers of services, and positions in the graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from telemetry.graph import FloatArray, IntArray, ServiceGraph

MAX_DEPTH = 8
"""Number of calls down the graph beyond which effects are not followed."""
PART = 8
"""Most members of a group that are reduced one after the other; larger groups go part by part."""


class _Groups:
    """Edges grouped by the service at one of their ends, to be reduced without a loop over groups.

    The first edges of all groups come first, then the second ones of those that have two, and so
    on; the larger groups first. So each rank is a slice, and lies above a slice of the first one.

    Attributes
    ----------
    services
        (G,) service that each group belongs to; services without any edge have none.
    order
        (E,) permutation that puts the edges into the order of the groups.
    """

    def __init__(self, ends: IntArray) -> None:
        edges = len(ends)
        by_end = np.argsort(ends, kind="stable")
        begins = np.flatnonzero(np.diff(ends[by_end], prepend=-1))
        sizes = np.diff(begins, append=edges)
        place = np.arange(edges) - np.repeat(begins, sizes)
        begins = np.flatnonzero(place % PART == 0)  # from here on: of parts
        parts = np.diff(begins, append=edges)
        by_size = np.argsort(-parts, kind="stable")
        number = np.repeat(np.argsort(by_size), parts)
        self.order: IntArray = by_end[np.lexsort((number, place % PART))]
        self.services: IntArray = ends[by_end][begins][by_size]
        stops = np.cumsum(np.bincount(place % PART, minlength=1))
        self._first = int(stops[0])
        self._ranks = list(zip(stops[:-1].tolist(), stops[1:].tolist(), strict=True))
        self._whole: _Groups | None = None
        if sizes.max(initial=0) > PART:
            self._whole = _Groups(self.services)
            self.services = self._whole.services

    def reduced(self, ordered: FloatArray, operation: np.ufunc) -> FloatArray:
        """Reduce values of edges in `order`, (E, ...) -> (G, ...); may write into them."""
        result = ordered[: self._first]
        for begin, end in self._ranks:
            larger = result[: end - begin]
            operation(larger, ordered[begin:end], out=larger)
        if self._whole is None:
            return result
        return self._whole.reduced(result.take(self._whole.order, axis=0), operation)


class _Step:
    """Calls of those services that one step down from their callees completes."""

    def __init__(self, graph: ServiceGraph, edges: IntArray) -> None:
        groups = _Groups(graph.caller[edges])
        self.services = groups.services
        self.reduced = groups.reduced
        edges = edges[groups.order]
        self.callee = graph.callee[edges]
        self.calls_at_most_once = np.fmin(graph.calls_per_request[edges], 1.0)[:, None]


class Neighbours:
    """Carries values along the graph; services or edges come first, then anything."""

    def __init__(self, graph: ServiceGraph) -> None:
        self._services = graph.services
        self._downward, self._upward = _Groups(graph.caller), _Groups(graph.callee)
        self._callee = graph.callee[self._downward.order]
        self._caller = graph.caller[self._upward.order]
        height = longest_paths(graph.caller, graph.callee, graph.services)
        acyclic = (height[graph.caller] > height[graph.callee]).all()
        number = np.arange(1, height.max(initial=0) + 1)[:, None]
        # From the bottom up, each service once; or, with cycles or further down than is followed,
        # so many times all that have so long a chain below them.
        levels = height == number
        if not acyclic or len(number) > MAX_DEPTH:
            levels = height >= number[:MAX_DEPTH]
        self._steps = [_Step(graph, np.flatnonzero(level[graph.caller])) for level in levels]

    def worst_edge(self, edges: FloatArray) -> FloatArray:
        """Maximum over the calls that each service makes, (E, ...) -> (S, ...); NaN without any."""
        ordered = edges.take(self._downward.order, axis=0)
        return self._spread(self._downward, ordered, np.fmax, np.nan)

    def total_edge(self, edges: FloatArray) -> FloatArray:
        """Sum over the calls that each service makes, (E, ...) -> (S, ...); 0 without any."""
        ordered = edges.take(self._downward.order, axis=0)
        return self._spread(self._downward, ordered, np.add, 0.0)

    def total_incoming(self, edges: FloatArray) -> FloatArray:
        """Sum over the calls that each service gets, (E, ...) -> (S, ...); 0 without any."""
        ordered = edges.take(self._upward.order, axis=0)
        return self._spread(self._upward, ordered, np.add, 0.0)

    def worst_dependency(self, services: FloatArray) -> FloatArray:
        """Maximum over the services that each service calls; NaN without any."""
        ordered = services.take(self._callee, axis=0)
        return self._spread(self._downward, ordered, np.fmax, np.nan)

    def worst_caller(self, services: FloatArray) -> FloatArray:
        """Maximum over the services that call each service; NaN without any."""
        ordered = services.take(self._caller, axis=0)
        return self._spread(self._upward, ordered, np.fmax, np.nan)

    def worst_below(self, services: FloatArray) -> FloatArray:
        """Maximum over all services that each one calls, directly or through others."""
        here_or_below = services.copy()
        worst = np.full_like(services, np.nan)
        for step in self._steps:
            found = step.reduced(here_or_below.take(step.callee, axis=0), np.fmax)
            worst[step.services] = found
            here_or_below[step.services] = np.fmax(services.take(step.services, axis=0), found)
        return worst

    def longest_below(self, own: FloatArray) -> FloatArray:
        """Heaviest path from each service down, (S, B) -> (S, B).

        Its own value, plus the heaviest dependency's times calls per request, at most one of them.
        """
        heaviest = own.copy()
        for step in self._steps:
            below = heaviest.take(step.callee, axis=0) * step.calls_at_most_once
            worst = step.reduced(below, np.fmax)
            heaviest[step.services] = own.take(step.services, axis=0) + worst
        return heaviest

    def _spread(
        self, groups: _Groups, ordered: FloatArray, operation: np.ufunc, missing: float
    ) -> FloatArray:
        result = np.full((self._services, *ordered.shape[1:]), missing)
        result[groups.services] = groups.reduced(ordered, operation)
        return result


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
