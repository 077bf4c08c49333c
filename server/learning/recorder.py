"""Records each experiment on the live system, from before its fault until it has recovered.

Where nobody knows the truth, as in a recording, each incident is recorded, too: there it is all
that there is to learn from, and has no type.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
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

PRE_FAULT_FRAMES, MAX_PRE_FAULT_ROWS = 15, 30_000
"""Recorded before the fault: 30 s, or fewer frames if they have too many rows, but 4 s."""
PRE_INCIDENT_FRAMES = 60
"""Recorded before an incident without a fault: what announced it, and as much before that."""
MAX_SERVICES = 64
MAX_FRAMES = 2700
"""An experiment that is not over after 90 minutes is cut off there."""

Faults = tuple[InjectedFault, ...]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, slots=True)
class RecordedExperiment:
    """A finished recording of an experiment.

    Attributes
    ----------
    first
        First snapshot.
    faults
        Active faults, in order.
    window
        Recorded features, incidents and truth.
    """

    first: Snapshot
    faults: tuple[InjectedFault, ...]
    window: LiveWindow


@dataclass(eq=False, slots=True)
class _OpenRecording:
    """A recording in progress; `number` is that of its first frame in its run."""

    first: Snapshot
    number: int
    services: NDArray[np.intp]
    features: list[NDArray[np.float32]] = field(default_factory=list)
    truths: list[Truth | None] = field(default_factory=list)
    faults: dict[str, InjectedFault] = field(default_factory=dict)
    quiet: int = 0


class ExperimentRecorder:
    """Observes each tick; safe to use from several threads.

    Faults that overlap, or that follow before the effects of the last one have passed, are one
    experiment, so that training and evaluation never share a piece of a run.

    Parameters
    ----------
    finished
        Called with each finished recording; must be quick.
    """

    def __init__(self, finished: Callable[[RecordedExperiment], None]) -> None:
        self._finished = finished
        self._lock = threading.Lock()
        self._closed = False
        self._latest: Snapshot | None = None
        self._recording: _OpenRecording | None = None

    def observe(
        self, snapshot: Snapshot, findings: Findings, faults: Faults, truth: Truth | None
    ) -> None:
        """Process one tick: snapshot, findings, active faults, and the truth if it is known.

        Errors are logged, and never stop the clock.
        """
        with self._lock:
            if self._closed:
                return
            try:
                self._observe(snapshot, findings.states, faults, truth)
            except Exception:
                _log.exception("an experiment could not be recorded")
                self._recording = None

    def close(self) -> None:
        """Finish the recording in progress, and start no more."""
        with self._lock:
            self._closed = True
            self._finish_open()

    def _finish_open(self) -> None:
        if self._recording is not None:
            self._finish(self._recording)

    def _observe(
        self, snapshot: Snapshot, states: ServiceStates, faults: Faults, truth: Truth | None
    ) -> None:
        latest = self._latest
        if latest is None or snapshot.run != latest.run:
            self._known_ids: set[str] = set()
        if latest is None or (snapshot.run, snapshot.graph) != (latest.run, latest.graph):
            # A fault that outlives a change of the graph begins no second recording: frames under
            # it are no past, and no run may be learned from and evaluated on.
            self._finish_open()
            self._ended: deque[Incident] = deque()
            before = MAX_PRE_FAULT_ROWS // snapshot.graph.services
            wanted = PRE_INCIDENT_FRAMES if truth is None else PRE_FAULT_FRAMES
            self._before: deque[tuple[Snapshot, Truth | None]] = deque(
                maxlen=1 + max(2, min(wanted, before))
            )
        self._latest, self._states = snapshot, states
        self._ended.extend(
            Incident(0, service, int(states.onset[service]), int(states.end[service]))
            for service in states.ended.tolist()
        )
        self._before.append((snapshot, truth))
        if snapshot.forecast is None:
            self._before.clear()
        elif self._recording is not None:
            self._add(self._recording, snapshot, truth)
        elif any(fault.id not in self._known_ids for fault in faults):
            targets = [name for fault in faults for name in fault.target.split("->")]
            self._recording = self._open_recording(snapshot, targets)
        elif truth is None and len(states.began):
            targets = [snapshot.graph.names[service] for service in states.began.tolist()]
            self._recording = self._open_recording(snapshot, targets)
        if self._recording is not None:
            self._follow(self._recording, faults)
        else:
            self._drop_old_incidents()

    def _open_recording(self, snapshot: Snapshot, targets: Sequence[str]) -> _OpenRecording:
        graph = snapshot.graph
        recording = _OpenRecording(
            first=self._before[0][0],
            number=self._states.frame - len(self._before) + 1,
            services=neighbourhood(graph, targets, MAX_SERVICES),
        )
        for earlier, truth in self._before:
            self._add(recording, earlier, truth)
        return recording

    def _add(self, to: _OpenRecording, snapshot: Snapshot, truth: Truth | None) -> None:
        assert snapshot.forecast is not None  # noqa: S101 - the caller looked
        to.features.append(snapshot.forecast.features[to.services].astype(np.float32))
        to.truths.append(truth and truth.of(to.services))

    def _follow(self, experiment: _OpenRecording, faults: Faults) -> None:
        for fault in faults:
            experiment.faults[fault.id] = fault
        self._known_ids = {fault.id for fault in faults}
        over = not faults and not self._states.open.any()
        experiment.quiet = experiment.quiet + 1 if over else 0
        if experiment.quiet >= COMPLETE_FRAMES or len(experiment.features) >= MAX_FRAMES:
            self._finish(experiment)

    def _drop_old_incidents(self) -> None:
        oldest = self._states.frame - PRE_INCIDENT_FRAMES - QUIET_FRAMES
        while self._ended and self._ended[0].end < oldest:
            self._ended.popleft()

    def _unfinished(self) -> list[Incident]:
        states = self._states
        return [
            Incident(0, service, int(states.onset[service]), states.frames)
            for service in np.flatnonzero(states.open).tolist()
        ]

    def _finish(self, experiment: _OpenRecording) -> None:
        self._recording = None
        while len(self._before) > COMPLETE_FRAMES:  # those before are rows of this one
            self._before.popleft()
        first = experiment.number
        graph = experiment.first.graph
        self._finished(
            RecordedExperiment(
                first=experiment.first,
                faults=tuple(experiment.faults.values()),
                window=LiveWindow(
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
