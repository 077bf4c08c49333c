"""The chain of calls that dominates the latency of each entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph

MAX_HOPS = 32


@dataclass(frozen=True, slots=True)
class Hop:
    """One service on a critical path.

    Attributes
    ----------
    service
        Name of the service.
    time_ms
        Time that a request of the entry spends in it, its other calls included.
    share
        Share of the latency of the entry, 0 to 1.
    """

    service: str
    time_ms: float
    share: float


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The chain from one entry down; the shares of its hops sum up to 1."""

    entry: str
    latency_ms: float
    hops: tuple[Hop, ...]


def critical_paths(graph: ServiceGraph, frame: Frame) -> list[CriticalPath]:
    """Find the critical path of every entry that was called, from copy 0 of a frame.

    From each service the path goes on along the calls that take most of its time: latency times
    calls per request. What these do not explain is spent in the service itself or in other calls.
    """
    often = np.where(np.isnan(graph.calls_per_request), 1.0, graph.calls_per_request)
    inside_ms = np.nan_to_num(frame.edge_latency_ms[0]) * often
    return [
        CriticalPath(graph.names[entry], latency, _follow(graph, inside_ms, int(entry), latency))
        for entry in np.flatnonzero(graph.entry)
        if np.isfinite(latency := float(frame.latency_ms[0, entry])) and latency > 0.0
    ]


def _follow(
    graph: ServiceGraph, inside_ms: FloatArray, entry: int, latency_ms: float
) -> tuple[Hop, ...]:
    hops: list[Hop] = []
    visited: set[int] = set()
    service, left_ms, weight = entry, latency_ms, 1.0
    while True:
        visited.add(service)
        edges = [
            e for e in np.flatnonzero(graph.caller == service) if graph.callee[e] not in visited
        ]
        slowest = max(edges, key=lambda e: inside_ms[e], default=None)
        below_ms = 0.0 if slowest is None else min(float(inside_ms[slowest]) * weight, left_ms)
        if slowest is None or below_ms <= 0.0 or len(hops) + 1 == MAX_HOPS:
            hops.append(Hop(graph.names[service], left_ms, left_ms / latency_ms))
            return tuple(hops)
        own_ms = left_ms - below_ms
        hops.append(Hop(graph.names[service], own_ms, own_ms / latency_ms))
        often = graph.calls_per_request[slowest]
        weight *= float(often) if np.isfinite(often) else 1.0
        service, left_ms = int(graph.callee[slowest]), below_ms
