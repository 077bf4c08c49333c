"""Static features, from the topology file: the same in every frame."""

from __future__ import annotations

import numpy as np

from ml.features.neighbours import distance_from, longest_paths
from ml.features.reach import failure_spread
from telemetry.graph import FloatArray, ServiceGraph


def static_columns(graph: ServiceGraph, shape: tuple[int, int]) -> dict[str, FloatArray]:
    """Features by name, each broadcast to (B, S)."""
    fan_out = np.bincount(graph.caller, minlength=graph.services).astype(np.float64)
    required = np.bincount(graph.caller, graph.required, graph.services)
    retries = np.zeros(graph.services)
    np.fmax.at(retries, graph.caller, graph.retries)
    with np.errstate(invalid="ignore"):
        columns = {
            "is_entry": graph.entry.astype(np.float64),
            "distance_from_entry": distance_from(graph.entry, graph.caller, graph.callee),
            "height": longest_paths(graph.caller, graph.callee, graph.services) * 1.0,
            "fan_out": fan_out,
            "fan_in": np.bincount(graph.callee, minlength=graph.services) * 1.0,
            "required_share": required / np.where(fan_out > 0, fan_out, np.nan),
            "retries_most": retries,
            "replicas": graph.replicas,
            "failure_spread": failure_spread(graph),
        }
    return {name: np.broadcast_to(value, shape) for name, value in columns.items()}
