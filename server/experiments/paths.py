"""Which services a fault may break, along the calls.

A service is on a fault's path if it is the target, or calls it, directly or through others: that
is how failures spread. Load spreads the other way as well, so the path of a surge or a flood leads
also to all that the target calls, and to those that call these.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from ml.definitions.incidents import BoolArray
from telemetry.connections import reachable
from telemetry.faults import EDGE, Fault, FaultKind
from telemetry.graph import IntArray, ServiceGraph

ATTRIBUTION_WINDOW_S = 60.0
"""A service that breaks later than this after the end of a fault is not attributed to it."""
_LOAD_FAULTS = (FaultKind.TRAFFIC_SURGE, FaultKind.CASCADE_FAILURE)


class FaultPaths:
    """Finds the paths of faults through one system."""

    def __init__(self, graph: ServiceGraph) -> None:
        self._graph = graph
        ends = (np.concatenate([graph.caller, graph.callee]),
                np.concatenate([graph.callee, graph.caller]))  # fmt: skip
        shape = (graph.services, graph.services)
        either = csr_array((np.ones(2 * graph.edges), ends), shape=shape)
        self._neighbours, self._offsets = either.indices, either.indptr

    def of(self, fault: Fault) -> BoolArray:
        """Services on the path of a fault, (S,); the path of an edge begins at its caller."""
        graph = self._graph
        on_path = np.zeros(graph.services, dtype=np.bool_)
        source = graph.index.get(fault.target.split(EDGE, 1)[0])
        if source is None:  # its target was removed
            return on_path
        sources = np.array([source])
        if fault.kind in _LOAD_FAULTS:
            sources = reachable(sources, graph.caller, graph.callee, graph.services)
        on_path[reachable(sources, graph.callee, graph.caller, graph.services)] = True
        return on_path

    def neighbours(self, service: int) -> IntArray:
        """Services that call a service or are called by it."""
        neighbours: IntArray = self._neighbours[self._offsets[service] : self._offsets[service + 1]]
        return neighbours
