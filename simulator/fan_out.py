"""Calls that a service makes all at once: it waits for the longest of them.

The expected maximum of independent times, and its second moment, are integrals of the probability
that not all of them have ended (simulation.md, equation 4, in parallel):

    E[M] = int (1 - prod F_e(x)) dx,   E[M^2] = int 2 x (1 - prod F_e(x)) dx
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.graph import FloatArray, IntArray
from simulator.latency_law import tail

SHORTEST_S = 1e-9
NODES = 20
"""Nodes of the Gauss-Legendre rule over u = x / (1 + x), x in units of the longest mean."""


class FanOut:
    """The calls of those services that call in parallel.

    Attributes
    ----------
    edges
        (X,) these calls, among all edges.
    callers
        (K,) their callers, ascending.
    """

    def __init__(
        self, caller: IntArray, calls_per_request: FloatArray, parallel: NDArray[np.bool_]
    ) -> None:
        """Find them, given the caller of each edge (E,), `calls_per_request` (E, 1), and (S,)."""
        self.edges = np.flatnonzero(parallel[caller])
        # Edges are in the order of their callers, so the edges of one caller lie side by side.
        self.callers, self._first = np.unique(caller[self.edges], return_index=True)
        self._group = np.searchsorted(self.callers, caller[self.edges])
        often = calls_per_request[self.edges]
        self._chance, self._number = np.minimum(often, 1.0), np.maximum(often, 1.0)

    def longest(
        self, mean_s: FloatArray, square_s2: FloatArray, made: FloatArray | float = 1.0
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the longest call, (K, B), from the moments of each, (X, B).

        `made` (X, B) is the share of the calls that are made at all.
        """
        mean_s = np.maximum(mean_s, SHORTEST_S)
        variance = np.maximum(square_s2 - mean_s * mean_s, 0.0)
        scale_s = np.maximum.reduceat(mean_s, self._first, axis=0)
        limit_s, chance = scale_s[self._group], self._chance * made
        mean, second = np.zeros_like(scale_s), np.zeros_like(scale_s)
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        for u, weight in zip(0.5 + 0.5 * nodes, 0.5 * weights, strict=True):
            x = u / (1.0 - u)
            ended = 1.0 - chance * tail(mean_s, variance, x * limit_s)
            ended **= self._number
            not_all = 1.0 - np.multiply.reduceat(ended, self._first, axis=0)
            step = weight / (1.0 - u) ** 2
            mean += step * not_all
            second += 2.0 * x * step * not_all
        return mean * scale_s, np.maximum(second - mean * mean, 0.0) * scale_s * scale_s
