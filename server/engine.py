"""The engine: the one writer of the simulation. It knows neither gRPC nor asyncio."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ml.predictor import Predictor
from server.clock import NORMAL, Clock
from server.errors import (
    ServerError,
    Violation,
    invalid,
    no_prediction_yet,
    too_many_faults,
    unknown_fault,
    unknown_service,
)
from server.live_run import LiveRun
from server.snapshot import ActiveFault, Forecast, Run, Snapshot
from simulator.fault_schedule import EDGE, FaultError, check
from simulator.faults import Fault, FaultKind
from simulator.frame import Truth
from simulator.topology import Topology

MAX_DURATION_S = 3600.0
MAX_INTENSITY = 10.0
MAX_SERVICE_SNAPSHOTS = 2_000_000
LEAST_HISTORY = 60


Watch = Callable[[Snapshot, tuple[ActiveFault, ...], Truth], None]
"""Takes a tick: what is seen, the faults that acted, and what only the simulation knows."""


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault that somebody asks for; it starts with the next step.

    Attributes
    ----------
    target, kind, duration_s, intensity, ramp_s, share
        As in `simulator.faults.Fault`.
    """

    target: str
    kind: FaultKind
    duration_s: float
    intensity: float = 1.0
    ramp_s: float = 0.0
    share: float = 1.0


_PUBLIC_FIELDS = {"duration_s": "duration", "ramp_s": "ramp"}


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
        Faults that may act at a time.
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
        self._faults: tuple[ActiveFault, ...] = ()
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
            return self._tick(self._history)

    def use(self, predictor: Predictor) -> None:
        """Predict with another model, from the next tick on."""
        with self._lock:
            self._predictor = predictor
            self._live.use(predictor)

    def inject(self, order: FaultOrder) -> ActiveFault:
        """Inject a fault, from the next step on.

        Raises
        ------
        ServerError
            INVALID_FIELD, UNKNOWN_SERVICE or TOO_MANY_FAULTS; nothing is changed then.
        """
        with self._lock:
            self._check(order)
            acting = self._acting()
            if len(acting) >= self._max_faults:
                raise too_many_faults(self._max_faults)
            fault = Fault(
                target=order.target or self._live.simulation.most_depended_on,
                kind=order.kind,
                start_s=self._live.simulation.time_s,
                duration_s=order.duration_s,
                intensity=order.intensity,
                ramp_s=order.ramp_s,
                share=order.share,
            )
            try:
                self._live.simulation.inject(fault)
            except FaultError as error:
                raise _explained(error) from error
            active = ActiveFault(f"f-{next(self._numbers)}", fault)
            self._faults = (*acting, active)
            return active

    def stop(self, fault_id: str | None) -> tuple[ActiveFault, ...]:
        """End one fault, or all with None.

        Raises
        ------
        ServerError
            UNKNOWN_FAULT.
        """
        with self._lock:
            acting = self._acting()
            chosen = tuple(f for f in acting if fault_id is None or f.id == fault_id)
            if fault_id is not None and not chosen:
                raise unknown_fault(fault_id)
            for active in chosen:
                self._live.simulation.stop(active.fault)
            self._faults = tuple(f for f in acting if f not in chosen)
            return chosen

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
        self._live = live
        live.use(self._predictor)  # another may have gone live while the run was prepared
        self._faults = ()
        self._numbers: Iterator[int] = itertools.count(1)
        self._sequence = 0
        self._tick(before=())
        return live.run

    def _tick(self, before: tuple[Snapshot, ...]) -> Snapshot:
        number = self._sequence + 1
        acted = self._acting()
        taken = self._live.advance(number, acted, self.clock, self._now())
        self._sequence = number
        self._faults = taken.faults
        most = history_limit(self._most_history, taken.run.graph.services)
        older = [*before[:-1], *(last.without_features() for last in before[-1:])]
        # Readers take the whole tuple, without a lock: none ever waits for a tick.
        self._history = (*older[max(0, len(older) + 1 - most) :], taken)
        if self._watch is not None:
            self._watch(taken, acted, self._live.simulation.truth)
        return taken

    def _acting(self) -> tuple[ActiveFault, ...]:
        now = self._live.simulation.time_s
        return tuple(f for f in self._faults if f.fault.end_s > now)

    def _check(self, order: FaultOrder) -> None:
        """Check everything at once, so that a client learns of all that is wrong."""
        graph = self.latest.run.graph
        wrong = []
        if not (math.isfinite(order.duration_s) and 0 < order.duration_s <= MAX_DURATION_S):
            expected = f"expected more than 0 s, at most {MAX_DURATION_S:g} s"
            wrong.append(Violation("duration", expected))
        if not (math.isfinite(order.intensity) and 0 < order.intensity <= MAX_INTENSITY):
            wrong.append(Violation("intensity", f"expected more than 0, at most {MAX_INTENSITY:g}"))
        if not (math.isfinite(order.ramp_s) and 0 <= order.ramp_s <= max(order.duration_s, 0.0)):
            wrong.append(Violation("ramp", "expected at least 0 s, at most the duration"))
        if not (math.isfinite(order.share) and 0 < order.share <= 1):
            wrong.append(Violation("share", "expected more than 0, at most 1"))
        if not order.target and order.kind is not FaultKind.CASCADE_FAILURE:
            wrong.append(Violation("target", "expected the name of a service"))
        if wrong:
            raise invalid(wrong)
        for name in order.target.split(EDGE, 1) if order.target else ():
            if name not in graph.index:
                raise unknown_service(name, graph.names)
        try:
            check(Fault(order.target, order.kind, 0.0, order.duration_s), graph)
        except FaultError as error:
            raise _explained(error) from error


def history_limit(most: int, services: int) -> int:
    """How many snapshots of so many services may be kept: all of them take a GB at most."""
    return max(1, min(most, max(LEAST_HISTORY, MAX_SERVICE_SNAPSHOTS // services)))


def _explained(error: FaultError) -> ServerError:
    field = _PUBLIC_FIELDS.get(error.field, error.field)
    return invalid([Violation(field, str(error).partition(": ")[2])])
