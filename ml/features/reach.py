"""How far a failure reaches: along the calls to the entries."""

from __future__ import annotations

import numpy as np

from telemetry.graph import FloatArray, ServiceGraph

OPTIONAL_SPREAD = 0.05
MAX_PASSES = 64


def reach(graph: ServiceGraph, spread: FloatArray) -> FloatArray:
    """Probability that a failure of each service reaches an entry, (S,).

    The paths to the entries are taken as independent: c_j = 1 for an entry, else 1 - prod over
    callers i of (1 - spread_ij c_i), iterated to its fixed point, which exists because every pass
    only adds; so cycles do no harm. `spread` (E,) is the probability along each edge.
    """
    risk = graph.entry.astype(np.float64)
    for _ in range(MAX_PASSES):
        survives = np.ones(graph.services)
        np.multiply.at(survives, graph.callee, 1.0 - spread * risk[graph.caller])
        following = np.where(graph.entry, 1.0, 1.0 - survives)
        if np.abs(following - risk).max(initial=0.0) < 1e-6:
            break
        risk = following
    return risk


def failure_spread(graph: ServiceGraph) -> FloatArray:
    """Say the same from the graph alone, (S,).

    A failed callee fails its caller in the share of requests that call it (at most all of them)
    if it is required, and hardly ever if not.
    """
    often = np.nan_to_num(graph.calls_per_request, nan=1.0)
    return reach(graph, np.minimum(often, 1.0) * np.where(graph.required, 1.0, OPTIONAL_SPREAD))
