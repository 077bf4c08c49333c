"""What the shape of a call graph alone says: where it is entered, where it turns back, how deep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Graph = Sequence[Sequence[int]]
"""The callees of each service, by index."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A depth-first walk from the roots, in order.

    Attributes
    ----------
    back_edges
        (caller, position among its calls) of every call that closes a cycle.
    callers_first
        Every service reached, callers before callees; back edges do not count.
    """

    back_edges: frozenset[tuple[int, int]]
    callers_first: tuple[int, ...]


def walk(graph: Graph, roots: Sequence[int]) -> Walk:
    """Walk `graph` depth first from `roots`, then from whatever they do not reach."""
    white, grey, black = 0, 1, 2
    colour = [white] * len(graph)
    back: set[tuple[int, int]] = set()
    finished: list[int] = []
    for root in [*roots, *range(len(graph))]:
        if colour[root] != white:
            continue
        colour[root] = grey
        path = [(root, 0)]
        while path:
            caller, position = path.pop()
            if position == len(graph[caller]):
                colour[caller] = black
                finished.append(caller)
                continue
            path.append((caller, position + 1))
            callee = graph[caller][position]
            if colour[callee] == grey:
                back.add((caller, position))
            elif colour[callee] == white:
                colour[callee] = grey
                path.append((callee, 0))
    return Walk(frozenset(back), tuple(reversed(finished)))


def depth(graph: Graph, order: Walk) -> int:
    """Longest chain of calls, in calls; back edges do not count."""
    level = [0] * len(graph)
    for caller in order.callers_first:
        for position, callee in enumerate(graph[caller]):
            if (caller, position) not in order.back_edges:
                level[callee] = max(level[callee], level[caller] + 1)
    return max(level, default=0)


def default_entries(graph: Graph, entered: Sequence[bool]) -> list[int]:
    """Services that need load from outside, so that load reaches every service.

    Those that nobody calls and, of a cycle that nothing else calls, the first; `entered` are
    those that have load from outside anyway.
    """
    called = {callee for callees in graph for callee in callees}
    entries = [i for i in range(len(graph)) if i not in called and not entered[i]]
    reached = [False] * len(graph)
    _reach(graph, [*entries, *(i for i, is_entered in enumerate(entered) if is_entered)], reached)
    # The first service of a depth-first finishing order lies in a component that nothing
    # outside of it calls (Kosaraju); its members are those that reach it.
    callers: list[list[int]] = [[] for _ in graph]
    for caller, callees in enumerate(graph):
        for callee in callees:
            callers[callee].append(caller)
    for candidate in walk(graph, ()).callers_first:
        if not reached[candidate]:
            members = [False] * len(graph)
            _reach(callers, [candidate], members)
            first = members.index(True)
            entries.append(first)
            _reach(graph, [first], reached)
    return sorted(entries)


def _reach(graph: Graph, start: Sequence[int], reached: list[bool]) -> None:
    """Mark `start` and all that it leads to in `reached`."""
    frontier = [i for i in start if not reached[i]]
    for i in frontier:
        reached[i] = True
    while frontier:
        service = frontier.pop()
        for callee in graph[service]:
            if not reached[callee]:
                reached[callee] = True
                frontier.append(callee)
