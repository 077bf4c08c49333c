"""Carries values along the call graph: from services to calls, and from calls to services."""

from __future__ import annotations

import numpy as np

from simulator.graph import FloatArray, IntArray
from simulator.parameters import Parameters


class Wiring:
    """Gathers and sums over the calls of B copies, without a loop.

    Arrays of services have shape (B, S), arrays of calls (B, C), arrays of edges (B, E).
    """

    def __init__(self, parameters: Parameters, copies: int) -> None:
        self._callee = parameters.callee
        self._edges = parameters.edges
        self._caller = parameters.caller[: self._edges]
        self._shape = (copies, parameters.services)
        offset = np.arange(copies)[:, None] * parameters.services
        self._flat_callee = (offset + self._callee).ravel()
        self._flat_caller = (offset + self._caller).ravel()
        # Edges are in the order of their callers, so the edges of one caller lie side by side.
        self._with_edges, self._first_edge = np.unique(self._caller, return_index=True)

    def at_callee(self, services: FloatArray) -> FloatArray:
        """Value of the callee of each call, (B, S) -> (B, C)."""
        return services.take(self._callee, axis=1, mode="clip")

    def at_caller(self, services: FloatArray) -> FloatArray:
        """Value of the caller of each edge, (B, S) -> (B, E)."""
        return services.take(self._caller, axis=1, mode="clip")

    def into_callee(self, calls: FloatArray) -> FloatArray:
        """Sum over the calls into each service, (B, C) -> (B, S)."""
        return self._summed(self._flat_callee, calls)

    def into_caller(self, edges: FloatArray) -> FloatArray:
        """Sum over the edges out of each service, (B, E) -> (B, S)."""
        return self._summed(self._flat_caller, edges)

    def product_into_caller(self, edges: FloatArray) -> FloatArray:
        """Product over the edges out of each service, 1 where there are none, (B, E) -> (B, S)."""
        result = np.ones(self._shape)
        if self._edges:
            result[:, self._with_edges] = np.multiply.reduceat(edges, self._first_edge, axis=1)
        return result

    def _summed(self, places: IntArray, values: FloatArray) -> FloatArray:
        flat = np.bincount(places, values.ravel(), self._shape[0] * self._shape[1])
        return flat.astype(np.float64, copy=False).reshape(self._shape)
