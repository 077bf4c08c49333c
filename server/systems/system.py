"""The engine: the one writer of the simulation. It knows neither gRPC nor asyncio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from ml.serving.predictor import Predictor
from server.errors import no_prediction_yet
from server.experiments.requests import FaultOrder, parse_scenario
from server.experiments.service import ChaosDesk
from server.pipeline.snapshot import ActiveFault, Forecast, Run, Snapshot
from server.pipeline.stages import Watched
from server.records.events import EventKind, EventLog, Happening, ModelChange
from server.records.experiments import Experiment, InjectedFault
from server.records.findings import Alarm, Incident
from server.systems.clock import NORMAL, Clock
from server.systems.recorder import Chronicle, Keeping
from server.systems.run import LiveRun
from simulator.topology.resolved import Topology
from telemetry.frame import Truth

MAX_SERVICE_SNAPSHOTS = 2_000_000
LEAST_HISTORY = 60


Watch = Callable[[Snapshot, tuple[ActiveFault, ...], Truth], None]
"""Takes a tick: what is seen, the faults that acted, and what only the simulation knows."""


class Engine:
    """Owns the simulated system; safe to call from any thread.

    Parameters
    ----------
    topology
        What to simulate.
    predictor
        The model.
    seed
        Of the first run.
    history
        Snapshots that are kept; fewer of a large system.
    max_faults
        Faults that may act or wait at a time.
    keeping
        What outlives a run; None: only as long as the engine lives.
    clock
        How fast the simulated clock goes. The ticker reads it; setting it is thread-safe.
    now
        Gives the wall clock. It may jump: it only says when a run began and a snapshot was made.
    watch
        Told of each tick, if anybody wants to know; must not take long.
    """

    def __init__(
        self,
        topology: Topology,
        predictor: Predictor,
        *,
        seed: int = 1,
        history: int = 900,
        max_faults: int = 100,
        keeping: Keeping | None = None,
        clock: Clock = NORMAL,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: Watch | None = None,
    ) -> None:
        self._watch = watch
        self.clock = clock
        self._predictor = predictor
        self._most_history = history
        self._max_faults = max_faults
        self._now = now
        self._lock = threading.Lock()
        self._history: tuple[Snapshot, ...] = ()
        self._keeping = keeping or Keeping()
        self._begin(self._new_run(topology, seed))

    @property
    def run(self) -> Run:
        """The present run."""
        return self.latest.run

    @property
    def latest(self) -> Snapshot:
        """The latest snapshot; there always is one."""
        return self._history[-1]

    @property
    def model_version(self) -> str:
        """Version of the live model."""
        return self._predictor.manifest.version

    @property
    def max_history(self) -> int:
        """How many snapshots of the present topology are kept."""
        return history_limit(self._most_history, self.run.graph.services)

    def history(self) -> tuple[Snapshot, ...]:
        """Recent snapshots of the present run, oldest first, the latest included.

        What the model saw is kept for the latest one only.
        """
        return self._history

    def tick(self) -> Snapshot:
        """Advance the system by one interval."""
        with self._lock:
            return self._tick()

    def use(self, predictor: Predictor) -> None:
        """Predict with another model, from the next tick on."""
        with self._lock:
            self._predictor = predictor
            self._live.use(predictor)
            version, time = predictor.manifest.version, self.latest.end_time
            text, change = f"{version} is the model from now on", ModelChange(version)
            happening = Happening(EventKind.MODEL_ACTIVATED, time, (), text, change)
            self._chronicle.add(happening, self._now())

    def inject(self, order: FaultOrder, request_id: str = "") -> tuple[ActiveFault, Run]:
        """Inject a fault, from the next step on; return it with the run that it is in.

        Raises
        ------
        ServerError
            As of `ChaosDesk.inject`; nothing is changed then.
        """
        with self._orders() as desk:
            return desk.inject(order, request_id), self.run

    def run_scenario(self, document: str, request_id: str = "") -> Experiment:
        """Run a scenario document, whose time begins now, on the present run.

        Raises
        ------
        ServerError
            As of `parse_scenario` and `ChaosDesk.run`; nothing is changed then.
        """
        while True:
            run = self.run
            scenario = parse_scenario(document, run.graph)
            with self._orders() as desk:
                if self.run is run:
                    return desk.run(scenario, request_id)

    def stop(
        self, fault_id: str | None = None, experiment_id: str | None = None
    ) -> list[InjectedFault]:
        """End one fault, those of one experiment, or all.

        Raises
        ------
        ServerError
            UNKNOWN_FAULT, UNKNOWN_EXPERIMENT.
        """
        with self._orders() as desk:
            return desk.book.stop(fault_id=fault_id, experiment_id=experiment_id)

    def set_kill_switch(self, engaged: bool) -> list[InjectedFault]:
        """Stop all faults and refuse new ones, or take them again; return what was stopped."""
        with self._orders() as desk:
            return desk.set_kill_switch(engaged, self.latest.end_time)

    @property
    def kill_switch(self) -> bool:
        """Whether faults are refused."""
        return self._keeping.switch.engaged

    @property
    def events(self) -> EventLog:
        """What happened, in this run and in those before it."""
        return self._keeping.log

    @property
    def watched(self) -> Watched:
        """How incidents and budgets stand after the latest snapshot."""
        return self._chronicle.watched

    def open_incidents(self) -> list[Incident]:
        """Incidents that go on, as they are now."""
        with self._lock:
            return self._chronicle.open_incidents()

    def pending_alarms(self) -> list[Alarm]:
        """Alarms that are raised, or whose outcome is not known yet, as they are now."""
        with self._lock:
            return self._chronicle.pending_alarms()

    def unfinished_experiments(self) -> list[Experiment]:
        """Experiments that are watched, as they are now."""
        with self._lock:
            return self._chronicle.desk.book.unfinished()

    def prepare(self, topology: Topology | None = None, seed: int | None = None) -> LiveRun:
        """Make a run of the same topology and seed, or others; the present one goes on meanwhile.

        `begin` makes it the present one.
        """
        run = self.latest.run
        return self._new_run(topology or run.topology, run.seed if seed is None else seed)

    def begin(self, live: LiveRun) -> Run:
        """Begin a run that was prepared: healthy and without faults."""
        with self._lock:
            return self._begin(live)

    def reset(self, topology: Topology | None = None, seed: int | None = None) -> Run:
        """Begin a new run at once: `prepare` and `begin`."""
        return self.begin(self.prepare(topology, seed))

    def forecast(self) -> tuple[Snapshot, Forecast]:
        """Give the latest snapshot and what the model expects.

        Raises
        ------
        ServerError
            NO_PREDICTION_YET.
        """
        latest = self.latest
        if latest.forecast is None:
            raise no_prediction_yet()
        return latest, latest.forecast

    def _new_run(self, topology: Topology, seed: int) -> LiveRun:
        return LiveRun(topology, self._predictor, seed, self._now())

    def _begin(self, live: LiveRun) -> Run:
        live.use(self._predictor)  # another may have gone live while the run was prepared
        first = live.advance(1, self.clock, self._now())
        if self._history:
            self._chronicle.close(self._now())
        self._live = live
        self._chronicle: Chronicle = Chronicle(live, first, self._keeping, self._max_faults)
        self._publish(first, before=())
        self._tell(acted=())
        return live.run

    def _tick(self) -> Snapshot:
        number = self.latest.sequence + 1
        book = self._chronicle.desk.book
        acted = book.acting()
        taken = self._live.advance(number, self.clock, self._now())
        book.advance()
        self._publish(replace(taken, faults=book.acting()), self._history)
        self._chronicle.take(self.latest)
        self._tell(acted)
        return self.latest

    def _tell(self, acted: tuple[ActiveFault, ...]) -> None:
        if self._watch is not None:
            self._watch(self.latest, acted, self._live.simulation.truth)

    def _publish(self, taken: Snapshot, before: tuple[Snapshot, ...]) -> None:
        taken = replace(taken, kill_switch=self.kill_switch)
        most = history_limit(self._most_history, taken.run.graph.services)
        older = [*before[:-1], *(last.without_features() for last in before[-1:])]
        # Readers take the whole tuple, without a lock: none ever waits for a tick.
        self._history = (*older[max(0, len(older) + 1 - most) :], taken)

    @contextmanager
    def _orders(self) -> Iterator[ChaosDesk]:
        with self._lock, self._chronicle.orders(self._now()) as desk:
            yield desk


def history_limit(most: int, services: int) -> int:
    """How many snapshots of so many services may be kept: all of them take a GB at most."""
    return max(1, min(most, max(LEAST_HISTORY, MAX_SERVICE_SNAPSHOTS // services)))
