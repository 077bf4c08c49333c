"""Carries values along the call graph: from services to calls, and from calls to services."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from simulator.dynamics.parameters import Parameters
from telemetry.graph import FloatArray, IntArray


class Wiring:
    """Gathers and sums over the calls of B copies, without a loop.

    Arrays of services have shape (S, B), arrays of calls (C, B), arrays of edges (E, B).
    """

    def __init__(self, p: Parameters) -> None:
        edges = np.arange(p.edges)
        self._made = incidence(edges, p.caller, p.calls, p.services, p.calls_per_request)
        self._callees = incidence(p.callee, np.arange(p.calls), p.services, p.calls)
        cancelling = p.callee[p.cancelling]
        self._cancelling = incidence(
            cancelling, np.arange(len(cancelling)), p.services, len(cancelling)
        )

    def calls_of(self, requests: FloatArray) -> FloatArray:
        """Count the calls that requests of each service make, (S, B) -> (C, B).

        None for the ways in from outside.
        """
        return multiply(self._made, requests)

    def into_callee(self, calls: FloatArray) -> FloatArray:
        """Sum over the calls into each service, (C, B) -> (S, B)."""
        return multiply(self._callees, calls)

    def into_cancelled(self, calls: FloatArray) -> FloatArray:
        """Do the same for the calls that can be cancelled alone, (cancelling, B) -> (S, B)."""
        return multiply(self._cancelling, calls)


def incidence(
    rows: IntArray, columns: IntArray, height: int, width: int, weights: FloatArray | None = None
) -> csr_array:
    """Make a matrix that sums `columns` up by `rows`.

    The order of a sum is that of the arguments, whatever the columns are, so that results stay the
    same bit by bit when columns are numbered anew.
    """
    order = np.argsort(rows, kind="stable")
    data = np.ones(len(rows)) if weights is None else weights.ravel()
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=height))])
    # Half the memory to go through with every product.
    indices = (columns[order].astype(np.int32), starts.astype(np.int32))
    return csr_array((data[order], *indices), shape=(height, width))


def multiply(matrix: csr_array, values: FloatArray) -> FloatArray:
    """Multiply a sparse matrix (M, N) with values (N, B)."""
    if values.shape[1] == 1:  # SciPy is faster with vectors
        product: FloatArray = (matrix @ values[:, 0])[:, None]
    else:
        product = matrix @ values
    return product
