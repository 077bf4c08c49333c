"""From one graph of a system to the next: services and calls come and go while a run goes on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from telemetry.frame import Age, Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph
from telemetry.metrics import FRAME_METRICS, Kind

NEW = -1
"""Place before, of what was not there before."""

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class GraphChange:
    """Where the services and edges of a graph were in the graph before it.

    Services are the same by name, edges by the names of their ends.

    Attributes
    ----------
    before, after
        The two graphs, of S and S', E and E' services and edges.
    """

    before: ServiceGraph
    after: ServiceGraph

    @cached_property
    def services(self) -> IntArray:
        """Places before of the services after, (S',), `NEW` where there is none."""
        index = self.before.index
        return np.array([index.get(name, NEW) for name in self.after.names], dtype=np.intp)

    @cached_property
    def edges(self) -> IntArray:
        """Places before of the edges after, (E',), `NEW` where there is none."""
        known: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for place, ends in reversed(list(enumerate(_ends(self.before)))):
            known[ends].append(place)
        places = [known[ends].pop() if known.get(ends) else NEW for ends in _ends(self.after)]
        return np.array(places, dtype=np.intp)

    @cached_property
    def removed(self) -> frozenset[int]:
        """Places before of the services that are not there any more."""
        return frozenset(range(self.before.services)) - frozenset(self.services.tolist())

    @cached_property
    def place(self) -> dict[int, int]:
        """From places before to places after, of the services that stay."""
        return {old: new for new, old in enumerate(self.services.tolist()) if old != NEW}

    def of_services(self, values: NDArray[Scalar], new: Any) -> NDArray[Scalar]:
        """Rearrange values of services, (..., S) -> (..., S'); those that are new have `new`."""
        return _rearranged(values, self.services, new)

    def of_frame(self, frame: Frame) -> Frame:
        """Give a frame of before as the graph of after shows it; NaN where there was nothing."""
        changed: dict[str, Any] = {
            metric.field: self._of(metric.kind is Kind.EDGES, getattr(frame, metric.field))
            for metric in FRAME_METRICS
        }
        if (age := frame.age) is not None:
            changed["age"] = Age(
                requests_s=self._of(False, age.requests_s),
                resources_s=self._of(False, age.resources_s),
                edges_s=self._of(True, age.edges_s),
            )
        return replace(frame, **changed)

    def _of(self, edges: bool, values: FloatArray) -> FloatArray:
        return _rearranged(values, self.edges if edges else self.services, np.nan)


def _rearranged(values: NDArray[Scalar], places: IntArray, new: Any) -> NDArray[Scalar]:
    if not values.shape[-1]:
        return np.full((*values.shape[:-1], len(places)), new, dtype=values.dtype)
    rearranged = values[..., places]
    rearranged[..., places == NEW] = new
    return rearranged


def _ends(graph: ServiceGraph) -> Sequence[tuple[str, str]]:
    pairs = zip(graph.caller.tolist(), graph.callee.tolist(), strict=True)
    return [(graph.names[caller], graph.names[callee]) for caller, callee in pairs]
