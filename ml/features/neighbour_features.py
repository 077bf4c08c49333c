"""Neighbour features: extremes over dependencies, everything below a service, and its callers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ml.features.columns import Columns, places
from ml.features.health import seed_cascade_risk
from ml.features.neighbours import Neighbours
from ml.features.table import NEIGHBOUR_FEATURES
from ml.features.trends import filled
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph

_CARRIED = (
    *NEIGHBOUR_FEATURES,
    ("cascade_risk", "below", 1.0, "seed_risk"),
    ("violations_below", "below", 1.0, "violations"),
)


class _Extremes:
    """Extremes over one kind of neighbours, all features at once."""

    def __init__(self, among: str, worst: Callable[[FloatArray], FloatArray]) -> None:
        wanted = [row for row in _CARRIED if row[1] == among]
        self._names = places([name for name, _, _, _ in wanted])
        self._bases = places([base for _, _, _, base in wanted])
        self._signs = np.array([sign for _, _, sign, _ in wanted])[:, None, None]
        self._worst = worst

    def update(self, c: Columns) -> None:
        values = c.take(self._bases)
        values *= self._signs
        found = self._worst(np.ascontiguousarray(values.transpose(2, 0, 1)))
        c.put(self._names, found.transpose(1, 2, 0) * self._signs)


class NeighbourFeatures:
    """Computes features of each service from those of its callers and dependencies."""

    def __init__(self, graph: ServiceGraph, neighbours: Neighbours) -> None:
        self._graph = graph
        self._neighbours = neighbours
        self._extremes = (
            _Extremes("dependencies", neighbours.worst_dependency),
            _Extremes("below", neighbours.worst_below),
            _Extremes("callers", neighbours.worst_caller),
        )

    def update(self, frame: Frame, c: Columns) -> None:
        """Take one frame, whose other features are there already."""
        c["seed_risk"] = seed_cascade_risk(
            frame.cpu_percent, frame.error_rate_percent, frame.availability_percent
        )
        c["violations"] = (
            (c["p95_over_slo"] > 1.0).astype(np.float64)
            + (c["errors_over_slo"] > 1.0)
            + (frame.availability_percent < self._graph.slo_availability_percent)
        )
        for extremes in self._extremes:
            extremes.update(c)
        c["slo_violations"] = c["violations"] + filled(c["violations_below"])
        z = c["request_z_smooth"].T.take(self._graph.caller, axis=0)
        known = np.where(np.isnan(z), 0.0, filled(frame.edge_call_rate_rps.T))
        edges = np.stack([known * filled(z), known], axis=1)
        total, weight = self._neighbours.total_incoming(edges).transpose(1, 2, 0)
        c["caller_request_z_mean"] = total / weight  # 0 over 0 is NaN: nothing is known
