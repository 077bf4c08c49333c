"""Follows the live system, and records each experiment from before its fault until it is over."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ml.definitions.incidents import QUIET_FRAMES, Incident
from ml.live.window import COMPLETE_FRAMES, LiveWindow, neighbourhood
from server.pipeline.snapshot import Snapshot
from server.pipeline.stages import Findings
from server.pipeline.state import ServiceStates
from server.records.experiments import InjectedFault
from telemetry.frame import Truth

BEFORE_FRAMES, BEFORE_ROWS = 15, 30_000
"""Recorded from 30 s before the fault on; from 4 s on of systems with so many services."""
MAX_SERVICES = 64
MAX_FRAMES = 2700
"""An experiment that is not over after 90 minutes is cut there."""

Faults = tuple[InjectedFault, ...]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, slots=True)
class Experiment:
    """An experiment that is over.

    Attributes
    ----------
    first
        Its first frame.
    faults
        Those that acted, in order.
    seen
        What was seen.
    """

    first: Snapshot
    faults: tuple[InjectedFault, ...]
    seen: LiveWindow


@dataclass(eq=False, slots=True)
class _Open:
    """An experiment that goes on; `number` is that of its first frame within the run."""

    first: Snapshot
    number: int
    services: NDArray[np.intp]
    features: list[NDArray[np.float32]] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    faults: dict[str, InjectedFault] = field(default_factory=dict)
    quiet: int = 0


class Recorder:
    """Takes each tick; safe to use from several threads.

    Faults that overlap, or that follow before the effects of the last one have passed, are one
    experiment: no run is cut between what is learned from and what models are judged by.

    Parameters
    ----------
    finished
        Takes an experiment that is over, and must not take long.
    """

    def __init__(self, finished: Callable[[Experiment], None]) -> None:
        self._finished = finished
        self._lock = threading.Lock()
        self._closed = False
        self._latest: Snapshot | None = None
        self._open: _Open | None = None

    def observe(self, taken: Snapshot, findings: Findings, acted: Faults, truth: Truth) -> None:
        """Take one tick: what was seen and found, the faults that acted, and the truth.

        What goes wrong here is logged, and never stops the clock.
        """
        with self._lock:
            if self._closed:
                return
            try:
                self._observe(taken, findings.states, acted, truth)
            except Exception:
                _log.exception("an experiment could not be recorded")
                self._open = None

    def close(self) -> None:
        """End what is recorded now, and take no more."""
        with self._lock:
            self._closed = True
            self._cut()

    def _cut(self) -> None:
        if self._open is not None:
            self._finish(self._open)

    def _observe(self, taken: Snapshot, states: ServiceStates, acted: Faults, truth: Truth) -> None:
        latest = self._latest
        if latest is None or (taken.run, taken.graph) != (latest.run, latest.graph):
            self._cut()
            self._ended: deque[Incident] = deque()
            before = BEFORE_ROWS // taken.graph.services
            self._before: deque[tuple[Snapshot, Truth]] = deque(
                maxlen=1 + max(2, min(BEFORE_FRAMES, before))
            )
            self._known: set[str] = set()
        self._latest, self._states = taken, states
        self._ended.extend(
            Incident(0, service, int(states.onset[service]), int(states.end[service]))
            for service in states.ended.tolist()
        )
        self._before.append((taken, truth))
        if taken.forecast is None:
            self._before.clear()
        elif self._open is not None:
            self._add(self._open, taken, truth)
        elif any(fault.id not in self._known for fault in acted):
            self._open = self._begun(taken, acted)
        if self._open is not None:
            self._follow(self._open, acted)
        else:
            self._forget()

    def _begun(self, taken: Snapshot, acted: Faults) -> _Open:
        graph = taken.graph
        targets = [name for fault in acted for name in fault.target.split("->")]
        begun = _Open(
            first=self._before[0][0],
            number=self._states.frame - len(self._before) + 1,
            services=neighbourhood(graph, targets, MAX_SERVICES),
        )
        for earlier, truth in self._before:
            self._add(begun, earlier, truth)
        return begun

    def _add(self, to: _Open, taken: Snapshot, truth: Truth) -> None:
        assert taken.forecast is not None  # noqa: S101 - the caller looked
        to.features.append(taken.forecast.features[to.services].astype(np.float32))
        to.truths.append(truth.of(to.services))

    def _follow(self, experiment: _Open, acted: Faults) -> None:
        for fault in acted:
            experiment.faults[fault.id] = fault
        self._known = {fault.id for fault in acted}
        over = not acted and not self._states.open.any()
        experiment.quiet = experiment.quiet + 1 if over else 0
        if experiment.quiet >= COMPLETE_FRAMES or len(experiment.features) >= MAX_FRAMES:
            self._finish(experiment)

    def _forget(self) -> None:
        oldest = self._states.frame - BEFORE_FRAMES - QUIET_FRAMES
        while self._ended and self._ended[0].end < oldest:
            self._ended.popleft()

    def _unfinished(self) -> list[Incident]:
        states = self._states
        return [
            Incident(0, service, int(states.onset[service]), states.frames)
            for service in np.flatnonzero(states.open).tolist()
        ]

    def _finish(self, experiment: _Open) -> None:
        self._open = None
        first = experiment.number
        graph = experiment.first.graph
        self._finished(
            Experiment(
                first=experiment.first,
                faults=tuple(experiment.faults.values()),
                seen=LiveWindow(
                    system=experiment.first.run.name,
                    names=tuple(graph.names[i] for i in experiment.services),
                    indices=experiment.services,
                    features=np.stack(experiment.features),
                    incidents=tuple(
                        replace(i, onset=i.onset - first, end=i.end - first)
                        for i in (*self._ended, *self._unfinished())
                    ),
                    truths=experiment.truths,
                ),
            )
        )
