"""The calls that a service makes, and the slowest chain of them."""

from __future__ import annotations

import numpy as np

from ml.features.columns import Columns
from ml.features.health import health
from ml.features.neighbours import Neighbours
from ml.features.trends import Baseline, filled
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph

MAX_RETRY_RATIO = 20.0
MIN_WEIGHT_RPS = 1e-3
"""Weight of a dependency that is not called at present, so that its health counts as well."""

_FLOORS = np.array([1.0, 0.05])[:, None, None]
_RELATIVE_FLOORS = np.array([0.1, 0.05])[:, None, None]
"""Minimum deviations, absolute and relative, of the latency in ms and of calls per request."""


class Calls:
    """Follows the calls of B copies of a system; values of edges are (E, B)."""

    def __init__(self, graph: ServiceGraph, neighbours: Neighbours, copies: int) -> None:
        self._graph = graph
        self._neighbours = neighbours
        self._baseline = Baseline((2, graph.edges, copies), _FLOORS, _RELATIVE_FLOORS)
        self._often = filled(graph.calls_per_request, 1.0)[:, None]
        self._timeout_ms = graph.timeout_ms[:, None]

    def update(self, frame: Frame, c: Columns) -> None:
        """Take one frame."""
        rate, latency = frame.edge_call_rate_rps.T, frame.edge_latency_ms.T
        requests = np.maximum(frame.request_count.T.take(self._graph.caller, axis=0), 1.0)
        share = rate * frame.interval_s / requests
        usual_share = self._baseline.location[1]
        latency_z = self._baseline.update(np.array([latency, share]))[0]
        edges = [
            frame.edge_error_rate_percent.T,
            latency / self._timeout_ms,
            latency_z,
            np.minimum(share / usual_share, MAX_RETRY_RATIO),
            latency * self._often,
        ]
        *worst, waiting = self._neighbours.worst_edge(np.stack(edges, axis=1)).transpose(1, 2, 0)
        c["edge_error_worst"], c["edge_latency_over_timeout"], c["edge_latency_z"] = worst[:3]
        c["edge_retry_ratio"] = worst[3]
        calls = self._means(frame, rate, c)
        inside = np.where(calls > 0.0, filled(waiting), 0.0)
        own = np.maximum(filled(frame.latency_ms) - inside, 0.0)
        path = self._neighbours.longest_below(own.T)
        c["critical_path_latency_ms"] = path.T

    def _means(self, frame: Frame, rate: FloatArray, c: Columns) -> FloatArray:
        """Average what is called, by call rate; return the calls per second, (B, S)."""
        callee = self._graph.callee
        error = frame.error_rate_percent.T.take(callee, axis=0)
        calls = filled(rate)
        known = np.where(np.isnan(error), 0.0, calls)
        weight = filled(np.maximum(rate, MIN_WEIGHT_RPS))
        healthy = weight * health(frame, self._graph).T.take(callee, axis=0)
        edges = np.stack([calls, known, known * filled(error), weight, healthy], axis=1)
        total = self._neighbours.total_edge(edges).transpose(1, 2, 0)
        c["dependency_error_mean"] = total[2] / total[1]  # 0 over 0 is NaN: nothing is known
        c["dependency_health"] = total[4] / total[3]
        calls_rps: FloatArray = total[0]
        return calls_rps
