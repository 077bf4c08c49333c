"""Follows the live system, and records each experiment from before its fault until it is over."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ml.definitions.breach import breached
from ml.definitions.incidents import QUIET_FRAMES, Incident, IncidentTracker
from ml.learning.live import COMPLETE_FRAMES, LiveWindow, neighbourhood
from server.snapshot import ActiveFault, Snapshot
from telemetry.frame import Truth

BEFORE_FRAMES, BEFORE_ROWS = 15, 30_000
"""Recorded from 30 s before the fault on; from 4 s on of systems with so many services."""
MOST_SERVICES = 64
MOST_FRAMES = 2700
"""An experiment that is not over after 90 minutes is cut there."""

Faults = tuple[ActiveFault, ...]
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
    faults: tuple[ActiveFault, ...]
    seen: LiveWindow


@dataclass(eq=False, slots=True)
class _Open:
    """An experiment that goes on; `number` is that of its first frame within the run."""

    first: Snapshot
    number: int
    services: NDArray[np.intp]
    features: list[NDArray[np.float32]] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    faults: dict[str, ActiveFault] = field(default_factory=dict)
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

    def observe(self, taken: Snapshot, acted: Faults, truth: Truth) -> None:
        """Take one tick: what is seen, the faults that acted, and the truth.

        What goes wrong here is logged, and never stops the clock.
        """
        with self._lock:
            if self._closed:
                return
            try:
                self._observe(taken, acted, truth)
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

    def _observe(self, taken: Snapshot, acted: Faults, truth: Truth) -> None:
        if self._latest is None or taken.run.id != self._latest.run.id:
            self._cut()
            self._tracker = IncidentTracker(1, taken.run.graph.services)
            self._ended: deque[Incident] = deque()
            before = BEFORE_ROWS // taken.run.graph.services
            self._before: deque[tuple[Snapshot, Truth]] = deque(
                maxlen=1 + max(2, min(BEFORE_FRAMES, before))
            )
            self._known: set[str] = set()
            self._number = -1
        self._latest = taken
        self._number += 1
        self._ended.extend(self._tracker.update(breached(taken.frame, taken.run.graph)))
        self._before.append((taken, truth))
        if taken.forecast is None:
            self._before.clear()
        elif self._open is not None:
            self._add(self._open, taken, truth)
        elif any(active.id not in self._known for active in acted):
            self._open = self._begun(taken, acted)
        if self._open is not None:
            self._follow(self._open, acted)
        else:
            self._forget()

    def _begun(self, taken: Snapshot, acted: Faults) -> _Open:
        graph = taken.run.graph
        targets = [name for active in acted for name in active.fault.target.split("->")]
        begun = _Open(
            first=self._before[0][0],
            number=self._number - len(self._before) + 1,
            services=neighbourhood(graph, targets, MOST_SERVICES),
        )
        for earlier, truth in self._before:
            self._add(begun, earlier, truth)
        return begun

    def _add(self, to: _Open, taken: Snapshot, truth: Truth) -> None:
        assert taken.forecast is not None  # noqa: S101 - the caller looked
        to.features.append(taken.forecast.features[to.services].astype(np.float32))
        to.truths.append(truth.of(to.services))

    def _follow(self, experiment: _Open, acted: Faults) -> None:
        for active in acted:
            experiment.faults[active.id] = active
        self._known = {active.id for active in acted}
        over = not acted and not self._tracker.unfinished()
        experiment.quiet = experiment.quiet + 1 if over else 0
        if experiment.quiet >= COMPLETE_FRAMES or len(experiment.features) >= MOST_FRAMES:
            self._finish(experiment)

    def _forget(self) -> None:
        oldest = self._number - BEFORE_FRAMES - QUIET_FRAMES
        while self._ended and self._ended[0].end < oldest:
            self._ended.popleft()

    def _finish(self, experiment: _Open) -> None:
        self._open = None
        first = experiment.number
        graph = experiment.first.run.graph
        self._finished(
            Experiment(
                first=experiment.first,
                faults=tuple(experiment.faults.values()),
                seen=LiveWindow(
                    system=experiment.first.run.topology.name,
                    names=tuple(graph.names[i] for i in experiment.services),
                    indices=experiment.services,
                    features=np.stack(experiment.features),
                    incidents=tuple(
                        replace(i, onset=i.onset - first, end=i.end - first)
                        for i in (*self._ended, *self._tracker.unfinished())
                    ),
                    truths=experiment.truths,
                ),
            )
        )
