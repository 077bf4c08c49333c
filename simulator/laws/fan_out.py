"""Calls that a service makes all at once: it waits for the longest of them.

The expected maximum of independent times, and its second moment, are integrals of the probability
that not all of them have ended (simulation.md, equation 4, in parallel):

    E[M] = int (1 - prod F_e(x)) dx,   E[M^2] = int 2 x (1 - prod F_e(x)) dx
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.laws.columns import parts
from simulator.laws.latency_law import Law
from telemetry.graph import FloatArray, IntArray

MIN_TIME_S = 1e-9
NODES = 12
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
        self._repeated = bool((often > 1.0).any())

    def longest(
        self, mean_s: FloatArray, square_s2: FloatArray, made: FloatArray | float = 1.0
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the longest call, (K, B), from the moments of each, (X, B).

        `made` (X, B) is the share of the calls that are made at all.
        """
        mean_s = np.maximum(mean_s, MIN_TIME_S)
        square = mean_s * mean_s
        law = Law.of(mean_s, square, np.maximum(square_s2 - square, 0.0))
        scale_s = np.maximum.reduceat(mean_s, self._first, axis=0)
        chance, longest_s = -(self._chance * made), scale_s.take(self._group, axis=0)
        mean, second = np.zeros_like(scale_s), np.zeros_like(scale_s)
        for part in parts(0, NODES, max(1, mean_s.size)):
            ended = law.tail(_X[part, None, None] * longest_s)
            ended *= chance
            ended += 1.0
            if self._repeated:
                ended = np.exp(self._number * np.log(np.maximum(ended, 1e-300)))
            not_all = 1.0 - np.multiply.reduceat(ended, self._first, axis=1)
            for x, dx, late in zip(_X[part], _DX[part], not_all, strict=True):
                late *= dx
                mean += late
                second += 2.0 * x * late
        return mean * scale_s, np.maximum(second - mean * mean, 0.0) * scale_s * scale_s


def _rule() -> tuple[FloatArray, FloatArray]:
    """Nodes x from 0 to infinity, and their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    u = 0.5 + 0.5 * nodes
    return u / (1.0 - u), 0.5 * weights / (1.0 - u) ** 2


_X, _DX = _rule()
