"""Calls that a service makes all at once: it waits for the longest of them.

The expected maximum of independent times, and its second moment, are integrals of the probability
that not all of them have ended (simulation.md, equation 4, in parallel):

    E[M] = int (1 - prod F_e(x)) dx,   E[M^2] = int 2 x (1 - prod F_e(x)) dx
"""

from __future__ import annotations

import numpy as np

from simulator.attempt import CallTime
from simulator.graph import FloatArray
from simulator.latency_law import tail
from simulator.parameters import Parameters
from simulator.routes import Routes

NODES = 20
"""Nodes of the Gauss-Legendre rule over u = x / (1 + x), x in units of the longest mean."""


class FanOut:
    """The services of a system that call in parallel."""

    def __init__(self, p: Parameters) -> None:
        self._edges = np.flatnonzero(p.parallel[p.caller])
        # Edges are in the order of their callers, so the edges of one caller lie side by side.
        self._callers, self._first = np.unique(p.caller[self._edges], return_index=True)
        self._group = np.searchsorted(self._callers, p.caller[self._edges])
        often = p.calls_per_request[self._edges]
        self._chance, self._number = np.minimum(often, 1.0), np.maximum(often, 1.0)

    def longest(
        self, routes: Routes, call: CallTime, wait_s: FloatArray, variance: FloatArray
    ) -> None:
        """Fill in mean and variance (S, B) of the longest call of those services."""
        route = routes.of_call[self._edges]
        mean, second = self.moments(call.mean_s[route], call.square_s2[route])
        wait_s[self._callers] = mean
        variance[self._callers] = second - mean * mean

    def moments(self, mean_s: FloatArray, square_s2: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First and second moment of the longest call, (K, B), from those of each, (X, B)."""
        scale_s = np.maximum(np.maximum.reduceat(mean_s, self._first, axis=0), 1e-9)
        limit_s = scale_s[self._group]
        variance = np.maximum(square_s2 - mean_s * mean_s, 0.0)
        mean, second = np.zeros_like(scale_s), np.zeros_like(scale_s)
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        for u, weight in zip(0.5 + 0.5 * nodes, 0.5 * weights, strict=True):
            x = u / (1.0 - u)
            ended = 1.0 - self._chance * tail(mean_s, variance, x * limit_s)
            ended **= self._number
            not_all = 1.0 - np.multiply.reduceat(ended, self._first, axis=0)
            step = weight / (1.0 - u) ** 2
            mean += step * not_all
            second += 2.0 * x * step * not_all
        return mean * scale_s, second * scale_s * scale_s
