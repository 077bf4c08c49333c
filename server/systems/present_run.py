"""The run of a system that goes on: from frames to snapshots, findings and records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ml.serving.predictor import Predictor
from server.experiments.service import FaultService
from server.pipeline.clock import Clock
from server.pipeline.snapshot import Run, Snapshot
from server.pipeline.stages import Findings
from server.ports import SourceError
from server.records.events import Event, EventKind, ModelChange, RunStart
from server.records.experiments import InjectedFault
from server.systems.recorder import Persistence, RunRecorder
from server.systems.run import LiveRun
from server.systems.snapshots import RecentSnapshots
from telemetry.frame import Truth
from telemetry.graph import ServiceGraph

Observer = Callable[[Snapshot, Findings, tuple[InjectedFault, ...], Truth | None], None]
"""Called with each tick: snapshot, findings, active faults, and the truth; None: not known."""


class PresentRun:
    """Observes the first frame of a run and, once it has begun, one after the other.

    Not thread-safe.

    Parameters
    ----------
    live
        The run, warmed up.
    predictor
        The model, which may be another one than when the run was prepared.
    persistence
        State that outlives the run.
    max_faults
        Maximum number of active or scheduled faults.
    observer
        Called with each tick; must be quick.
    clock
        The clock of the system.
    now
        Returns the wall clock.

    Attributes
    ----------
    live
        The run.
    faults
        Its faults and experiments.
    recorder
        Records what happens in it.
    findings
        Findings of the latest snapshot.
    """

    def __init__(
        self,
        live: LiveRun,
        predictor: Predictor,
        persistence: Persistence,
        max_faults: int,
        observer: Observer | None,
        clock: Clock,
        now: Callable[[], datetime],
    ) -> None:
        self.live = live
        self._persistence, self._observer = persistence, observer
        live.pipeline.use(predictor)
        frame = live.source.frames.next_frame()
        self._first, self.findings = live.pipeline.update(
            frame, 1, clock, now(), kill_switch=persistence.kill_switch.engaged
        )
        self.faults = FaultService(
            live.source.faults, live.source.frames.time_s, self.findings, max_faults,
            persistence.kill_switch, persistence.requests,
        )  # fmt: skip
        self.recorder = RunRecorder(self.run.id, self.faults, persistence)

    @property
    def run(self) -> Run:
        """The run, for people and records."""
        return self.live.pipeline.run

    def begin(self, snapshots: RecentSnapshots, now: datetime) -> None:
        """Take the place of the run before; its snapshots are forgotten."""
        self._snapshots = snapshots
        text, start = f"a run of {self.run.name} begins", RunStart(self.run.name, self.run.seed)
        self._record(now, Event(EventKind.RUN_STARTED, self._first.time, (), text, start))
        snapshots.restart(self._first, self.live.past)
        self._notify_observer(active=())

    def tick(self, clock: Clock, now: Callable[[], datetime]) -> Snapshot:
        """Observe one further interval."""
        number, frames = self._snapshots.latest.sequence + 1, self.live.source.frames
        active = self.faults.active()
        frame = frames.next_frame()
        time = now()
        self._follow_graph(frames.graph, number, time)
        self.faults.advance(frames.time_s)
        engaged = self._persistence.kill_switch.engaged
        snapshot, self.findings = self.live.pipeline.update(
            frame, number, clock, time, self.faults.active(), engaged
        )
        self._snapshots.append(snapshot)
        self.faults.update(self.findings)
        self._record(time)
        self._notify_observer(active)
        return snapshot

    def use(self, predictor: Predictor, now: datetime) -> None:
        """Predict with another model, from the next tick on."""
        self.live.pipeline.use(predictor)
        version, time = predictor.manifest.version, self._snapshots.latest.end_time
        text, change = f"model {version} is live from now on", ModelChange(version)
        self.recorder.record(now, [Event(EventKind.MODEL_ACTIVATED, time, (), text, change)])

    def close(self, now: datetime) -> None:
        """End it with its faults and experiments."""
        self.faults.close()
        closed = self.live.pipeline.close()
        self.recorder.record(now, closed.events, closed.incidents, closed.alarms)

    def _follow_graph(self, graph: ServiceGraph, number: int, now: datetime) -> None:
        """Change the graph, all of it or nothing, if the source shows another one."""
        pipeline = self.live.pipeline
        if graph is pipeline.graph:
            return
        if not graph.services:
            raise SourceError("expected a system of at least one service, got none")
        closed = pipeline.change_graph(graph, number)
        self.recorder.record(now, closed.events, closed.incidents, closed.alarms)

    def _record(self, now: datetime, *before: Event) -> None:
        findings = self.findings
        events = (*before, *findings.events)
        self.recorder.record(now, events, findings.incidents, findings.alarms)

    def _notify_observer(self, active: tuple[InjectedFault, ...]) -> None:
        if self._observer is not None:
            labels = self.live.source.labels
            truth = labels.truth if labels else None
            self._observer(self._snapshots.latest, self.findings, active, truth)
