"""A system: a source with its pipeline, history and experiments, under one writer.

It knows neither gRPC nor asyncio.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ml.serving.predictor import Predictor
from server.errors import (
    ServerError,
    no_prediction_yet,
    not_supported_by_source,
    system_not_ready,
)
from server.experiments.injection import Injection
from server.experiments.kill_switch import KillSwitch
from server.experiments.service import FaultService
from server.experiments.validation import check_document
from server.pipeline.clock import NORMAL, Clock
from server.pipeline.snapshot import Forecast, Run, Snapshot
from server.pipeline.stages import Findings
from server.ports import SourceFactory
from server.records.experiments import Experiment, InjectedFault
from server.records.findings import Alarm, Incident
from server.records.systems import DEFAULT_SYSTEM
from server.systems.event_log import EventLog
from server.systems.present_run import Observer, PresentRun
from server.systems.recorder import Persistence, RunRecorder
from server.systems.run import LiveRun
from server.systems.snapshots import RecentSnapshots
from telemetry.faults import Fault
from telemetry.graph import ServiceGraph


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a system supports: faults, the truth, a clock that can be set, a reset, a seek."""

    faults: bool
    labels: bool
    clock: bool
    reset: bool
    seek: bool


class System:
    """Owns one observed system; safe to call from any thread.

    Parameters
    ----------
    factory
        Opens the source of each run.
    predictor
        The model.
    history
        Number of snapshots that are kept; fewer of a large system.
    max_faults
        Maximum number of active or scheduled faults.
    persistence
        State that outlives a run; None: it is kept in memory only.
    clock
        Speed of time. The ticker reads it; setting it is thread-safe.
    now
        Returns the wall clock. It may jump: it only dates runs and snapshots.
    observer
        Called with each tick; must be quick.
    system_id
        Id of the system.

    Attributes
    ----------
    id
        Id of the system.
    """

    def __init__(
        self,
        factory: SourceFactory,
        predictor: Predictor,
        *,
        history: int = 900,
        max_faults: int = 100,
        persistence: Persistence | None = None,
        clock: Clock = NORMAL,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        observer: Observer | None = None,
        system_id: str = DEFAULT_SYSTEM,
    ) -> None:
        self.id, self._ended = system_id, False
        self._observer = observer
        self.clock = clock
        self._predictor = predictor
        self._max_faults = max_faults
        self._now = now
        self._lock = threading.Lock()
        self._snapshots = RecentSnapshots(history)
        self._persistence = persistence or Persistence()
        self._begin(self._new_run(factory))

    @property
    def run(self) -> Run:
        """The present run."""
        return self.latest.run

    @property
    def graph(self) -> ServiceGraph:
        """The system as the latest snapshot shows it."""
        return self.latest.graph

    @property
    def latest(self) -> Snapshot:
        """The latest snapshot; there always is one."""
        return self._snapshots.latest

    @property
    def model_version(self) -> str:
        """Version of the live model."""
        return self._predictor.manifest.version

    @property
    def max_history(self) -> int:
        """Number of snapshots of the present graph that are kept."""
        return self._snapshots.limit(self.graph.services)

    def history(self) -> tuple[Snapshot, ...]:
        """Recent snapshots of the present run, oldest first, the latest included.

        Features are kept for the latest one only.
        """
        return self._snapshots.all

    def past(self) -> tuple[Snapshot, ...]:
        """Frames from before the first snapshot of the run, oldest first, without numbers.

        None once that snapshot is no longer in the history.
        """
        first = self._snapshots.all[0]
        return tuple(
            frame.snapshot(first.run, first.produced_time, first.clock)
            for frame in self._snapshots.past
        )

    @property
    def findings(self) -> Findings:
        """Findings of the latest snapshot."""
        return self._present.findings

    @property
    def events(self) -> EventLog:
        """Events of this run and of earlier runs."""
        return self._persistence.log

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the description of the system."""
        return self._present.live.source.warnings

    @property
    def capabilities(self) -> Capabilities:
        """What the source of the present run supports."""
        source = self._present.live.source
        return Capabilities(
            faults=source.faults is not None,
            labels=source.labels is not None,
            clock=source.has_clock,
            reset=source.has_reset,
            seek=source.has_seek,
        )

    @property
    def kill_switch(self) -> KillSwitch:
        """The kill switch of the system, with the one above it."""
        return self._persistence.kill_switch

    def tick(self) -> Snapshot:
        """Observe one further interval."""
        with self._lock:
            self._check_watched()
            return self._present.tick(self.clock, self._now)

    def use(self, predictor: Predictor) -> None:
        """Predict with another model, from the next tick on."""
        with self._lock:
            self._check_watched()
            self._predictor = predictor
            self._present.use(predictor, self._now())

    def inject(self, fault: Fault, request_id: str = "") -> Experiment:
        """Inject a fault once it is stored; its start counts from now.

        Raises
        ------
        ServerError
            STORE_UNAVAILABLE, or as `FaultService.accept`; nothing is changed then.
        """
        with self._lock:
            recorder = self._present.recorder
            injection = self._accept(lambda faults: faults.accept(fault, request_id))
        return self._begin_stored(recorder, injection)

    def run_scenario(self, document: str, request_id: str = "") -> Experiment:
        """Run the scenario of a document on the present run, starting now.

        Raises
        ------
        ServerError
            INVALID_FIELD, or as `inject`; nothing is changed then.
        """
        check_document(document)
        while True:
            present = self._present
            injector = present.live.source.faults
            if injector is None:
                raise not_supported_by_source("faults")
            scenario = injector.read_scenario(document)
            with self._lock:
                if self._present is not present:
                    continue
                recorder = present.recorder
                injection = self._accept(lambda f: f.accept_scenario(scenario, request_id))  # noqa: B023 - called here
            return self._begin_stored(recorder, injection)

    def stop(
        self, fault_id: str | None = None, experiment_id: str | None = None
    ) -> list[InjectedFault]:
        """End one fault, those of one experiment, or all.

        Raises
        ------
        ServerError
            UNKNOWN_FAULT, UNKNOWN_EXPERIMENT.
        """
        with self._recording_faults() as faults:
            return faults.stop(fault_id=fault_id, experiment_id=experiment_id)

    def set_kill_switch(self, engaged: bool) -> list[InjectedFault]:
        """Stop all faults and refuse new ones, or accept them again; return the stopped ones."""
        with self._recording_faults() as faults:
            return faults.set_kill_switch(engaged, self.latest.end_time)

    def open_incidents(self) -> list[Incident]:
        """Incidents that are open, as they are now."""
        with self._lock:
            return self._present.live.pipeline.open_incidents()

    def pending_alarms(self) -> list[Alarm]:
        """Alarms that are raised, or whose outcome is not yet known, as they are now."""
        with self._lock:
            return self._present.live.pipeline.pending_alarms()

    def unfinished_experiments(self) -> list[Experiment]:
        """Experiments that are not finished, as they are now."""
        with self._lock:
            return self._present.faults.unfinished()

    def prepare(self, topology: str = "", seed: int | None = None) -> LiveRun:
        """Prepare a run, with the same topology and seed or others; the present run continues.

        `begin` makes it the present run. `topology` is a document; "": the same topology.

        Raises
        ------
        ServerError
            INVALID_FIELD, or NOT_SUPPORTED_BY_SOURCE.
        """
        return self._new_run(self._present.live.factory.altered(topology, seed))

    def prepare_at(self, time: datetime) -> LiveRun:
        """Prepare a run that begins at another time, as `prepare` does.

        Raises
        ------
        ServerError
            INVALID_FIELD, or NOT_SUPPORTED_BY_SOURCE.
        """
        return self._new_run(self._present.live.factory.sought(time))

    def begin(self, live: LiveRun) -> Run:
        """Begin a prepared run, without faults."""
        with self._lock:
            self._check_watched()
            return self._begin(live)

    def reset(self, topology: str = "", seed: int | None = None) -> Run:
        """Begin a new run at once: `prepare` and `begin`."""
        return self.begin(self.prepare(topology, seed))

    def end(self) -> None:
        """End the run with its faults and experiments; nothing follows."""
        with self._lock:
            now = self._now()
            self._present.close(now)
            self._present.recorder.record(now)
            self._ended = True

    def stop_for_all(self) -> list[InjectedFault]:
        """Stop all faults, because the kill switch above was engaged; return the stopped ones."""
        with self._recording_faults() as faults:
            return faults.stop_for_kill_switch(self.latest.end_time)

    def accept_for_all(self) -> None:
        """Note that the kill switch above was lifted."""
        with self._recording_faults() as faults:
            faults.note_kill_switch(self.latest.end_time, engaged=False)

    def forecast(self) -> tuple[Snapshot, Forecast]:
        """Get the latest snapshot and its predictions.

        Raises
        ------
        ServerError
            NO_PREDICTION_YET.
        """
        latest = self.latest
        if latest.forecast is None:
            raise no_prediction_yet()
        return latest, latest.forecast

    def _check_watched(self) -> None:
        if self._ended:
            raise system_not_ready(self.id, "is no longer watched")

    def _new_run(self, factory: SourceFactory) -> LiveRun:
        return LiveRun(self.id, factory, self._predictor, self._persistence.slos, self._now())

    def _begin(self, live: LiveRun) -> Run:
        present = PresentRun(
            live, self._predictor, self._persistence, self._max_faults, self._observer,
            self.clock, self._now,
        )  # fmt: skip
        now = self._now()
        if self._snapshots.all:
            self._present.close(now)
            self._persistence.requests.forget_all()
        self._present: PresentRun = present
        present.begin(self._snapshots, now)
        return present.run

    def _accept(self, accept: Callable[[FaultService], Injection]) -> Injection:
        self._check_watched()
        injection = accept(self._present.faults)
        self._present.recorder.accept(injection)
        return injection

    def _begin_stored(self, recorder: RunRecorder, injection: Injection) -> Experiment:
        """Wait for the store, without the lock: ticks and stops go on meanwhile."""
        refused = None
        try:
            if injection.wait is not None:
                injection.wait()
        except ServerError as error:
            refused = error
        with self._lock:
            return recorder.begin(injection, refused, self._now())

    @contextmanager
    def _recording_faults(self) -> Iterator[FaultService]:
        with self._lock:
            self._check_watched()
            try:
                yield self._present.faults
            finally:  # what has changed before a failure holds, above all the kill switch
                self._present.recorder.record(self._now())
