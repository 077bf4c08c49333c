"""Turns faults into the conditions that they make, sub-step by sub-step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from simulator.dynamics.conditions import Conditions, calm
from simulator.dynamics.parameters import Parameters
from simulator.faults.effects import EFFECTS
from telemetry.faults import EDGE, Fault, FaultKind, check, edges_along
from telemetry.graph import FloatArray, IntArray, ServiceGraph


class _Effects(NamedTuple):
    """Changes of conditions, one row per condition and place; see `simulator.faults.effects`."""

    rows: dict[str, slice]  # those of each condition
    place: IntArray  # flat index into the (S, B) array, or (X, B) for single edges
    amount: FloatArray  # at full strength
    start_s: FloatArray
    ramp_s: FloatArray
    end_s: FloatArray


class FaultSchedule:
    """The faults of B copies of a system."""

    def __init__(self, graph: ServiceGraph, parameters: Parameters, copies: int) -> None:
        self._graph = graph
        self._parameters = parameters
        self._copies = copies
        self._faults: list[list[Fault]] = [[] for _ in range(copies)]
        self._effects = _table([])
        self._edges: list[int] = []
        self._calm = calm(parameters, copies)

    @property
    def edges(self) -> IntArray:
        """Edges that a fault acts on alone, or did; `Conditions.edge_loss` is theirs."""
        return np.array(self._edges, dtype=np.intp)

    def inject(self, fault: Fault, copies: Iterable[int]) -> None:
        """Add a fault to some copies.

        Raises
        ------
        FaultError
            If it is not possible; nothing is changed then.
        """
        check(fault, self._graph)
        if EDGE in fault.target:
            new = [edge for edge in self._along(fault) if edge not in self._edges]
            self._edges.extend(new)
            self._calm = calm(self._parameters, self._copies, len(self._edges))
        for copy in copies:
            self._faults[copy].append(fault)
        self._rebuild()

    def forget_before(self, t_s: float) -> None:
        """Forget the faults that ended before a time."""
        if any(fault.end_s < t_s for faults in self._faults for fault in faults):
            self._faults = [[f for f in faults if f.end_s >= t_s] for faults in self._faults]
            self._rebuild()

    def stop(self, fault: Fault, copies: Iterable[int]) -> None:
        """Remove a fault from some copies, where it is."""
        for copy in copies:
            if fault in self._faults[copy]:
                self._faults[copy].remove(fault)
        self._rebuild()

    def active(self, copy: int, t_s: float) -> tuple[Fault, ...]:
        """Faults that act on a copy at a time, in the order of their injection."""
        return tuple(f for f in self._faults[copy] if f.start_s <= t_s < f.end_s)

    def conditions(self, t_s: float, step_s: float) -> Conditions:
        """Conditions of the sub-step that begins at `t_s`."""
        effects = self._effects
        if not len(effects.start_s):
            return self._calm
        acting = (effects.start_s <= t_s + 1e-9) & (t_s + 1e-9 < effects.end_s)
        if not acting.any():
            return self._calm
        elapsed_s = t_s + 0.5 * step_s - effects.start_s
        strength = np.clip(elapsed_s / effects.ramp_s, 0.0, 1.0) * effects.amount * acting
        changed: dict[str, FloatArray] = {}
        for name, rows in effects.rows.items():
            if strength[rows].any():
                shape = getattr(self._calm, name).shape
                place, amount = effects.place[rows], strength[rows]
                if name == "leak_share":  # two of them do not add up
                    values = np.zeros(shape)
                    np.maximum.at(values.ravel(), place, amount)
                else:
                    values = np.bincount(place, amount, shape[0] * shape[1]).reshape(shape)
                changed[name] = np.minimum(values, 1.0) if name in _SHARES else values
        return Conditions(**{**vars(self._calm), **changed, "acting": frozenset(changed)})

    def _target(self, fault: Fault) -> int:
        """Service that a fault acts on; of a fault on an edge, the callee."""
        name = fault.target.rpartition(EDGE)[2]
        if name in self._graph.index:
            return self._graph.index[name]
        return most_depended_on(self._graph, self._parameters)

    def _along(self, fault: Fault) -> list[int]:
        edges: list[int] = edges_along(fault.target, self._graph).tolist()
        return edges

    def _rebuild(self) -> None:
        rows = []
        for copy, faults in enumerate(self._faults):
            for fault in faults:
                service = self._target(fault)
                changes = EFFECTS[FaultKind(fault.kind)](fault, self._parameters, service)
                for name, amount in changes.items():
                    where = [service]
                    if name == "edge_loss":
                        where = [self._edges.index(edge) for edge in self._along(fault)]
                    # A share of the replicas does not ramp.
                    ramp_s = 0.0 if name == "leak_share" else fault.ramp_s
                    rows += [
                        (name, i * self._copies + copy, amount, fault.start_s, ramp_s, fault.end_s)
                        for i in where
                    ]
        self._effects = _table(rows)


_SHARES = frozenset({"killed", "error_rate", "loss", "edge_loss"})
_AT_ONCE_S = 1e-9


def _table(rows: list[tuple[str, int, float, float, float, float]]) -> _Effects:
    """Make a table of rows of condition, place, amount, start, ramp, and end."""
    rows = sorted(rows, key=lambda row: row[0])
    names = [row[0] for row in rows]
    numbers = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), 5)
    places, amount, start_s, ramp_s, end_s = numbers.T
    first = {name: names.index(name) for name in names}
    return _Effects(
        {name: slice(i, i + names.count(name)) for name, i in first.items()},
        places.astype(np.intp),
        amount,
        start_s,
        np.maximum(ramp_s, _AT_ONCE_S),
        end_s,
    )


def most_depended_on(graph: ServiceGraph, parameters: Parameters) -> int:
    """Index of the service that most others call; of equals, the one with the higher load."""
    others = graph.caller != graph.callee
    callers = np.bincount(graph.callee[others], minlength=graph.services)
    return int(np.lexsort((parameters.nominal_rps[:, 0], callers))[-1])
