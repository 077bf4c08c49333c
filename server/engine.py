"""The engine: the one writer of the simulation. It knows neither gRPC nor asyncio."""

from __future__ import annotations

import itertools
import math
import threading
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ml.anomalies import AnomalyDetector
from ml.predictor import Predictor
from server.errors import (
    ServerError,
    Violation,
    invalid,
    no_prediction_yet,
    too_many_faults,
    unknown_fault,
    unknown_service,
)
from server.forecaster import Forecaster
from server.snapshot import ActiveFault, Forecast, Run, Snapshot, statuses
from simulator.fault_schedule import EDGE, FaultError, check
from simulator.faults import Fault, FaultKind
from simulator.frame import FRAME_INTERVAL_S
from simulator.simulation import Load, Simulation
from simulator.topology import Topology

MAX_DURATION_S = 3600.0
MAX_INTENSITY = 10.0
WARM_UP_FRAMES = 60
"""Simulated before a run is shown, so that the model knows what is normal."""


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
        Snapshots that are kept.
    max_faults
        Faults that may act at a time.
    """

    def __init__(
        self,
        topology: Topology,
        predictor: Predictor,
        *,
        seed: int = 1,
        history: int = 900,
        max_faults: int = 100,
    ) -> None:
        self._predictor = predictor
        self._max_faults = max_faults
        self._lock = threading.Lock()
        self._history: deque[Snapshot] = deque(maxlen=history)
        self._faults: tuple[ActiveFault, ...] = ()
        self._numbers = itertools.count(1)
        self._sequence = 0
        self._begin(topology, seed)

    @property
    def run(self) -> Run:
        """The present run."""
        return self.latest.run

    @property
    def latest(self) -> Snapshot:
        """The latest snapshot; there always is one."""
        return self._latest

    def history(self) -> list[Snapshot]:
        """Recent snapshots of the present run, oldest first, the latest included."""
        with self._lock:
            return list(self._history)

    def tick(self) -> Snapshot:
        """Advance the system by one interval."""
        with self._lock:
            return self._tick()

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
                target=order.target or self._simulation.most_depended_on,
                kind=order.kind,
                start_s=self._simulation.time_s,
                duration_s=order.duration_s,
                intensity=order.intensity,
                ramp_s=order.ramp_s,
                share=order.share,
            )
            try:
                self._simulation.inject(fault)
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
                self._simulation.stop(active.fault)
            self._faults = tuple(f for f in acting if f not in chosen)
            return chosen

    def reset(self, seed: int | None = None) -> Run:
        """Begin a new run of the same topology, healthy and without faults."""
        with self._lock:
            run = self._latest.run
            return self._begin(run.topology, run.seed if seed is None else seed)

    def indices(self, names: Iterable[str]) -> tuple[int, ...] | None:
        """Give the indices of services in topology order; None for all.

        Raises
        ------
        ServerError
            UNKNOWN_SERVICE.
        """
        graph = self._latest.run.graph
        wanted = set(names)
        for name in sorted(wanted):
            if name not in graph.index:
                raise unknown_service(name, graph.names)
        return tuple(sorted(graph.index[name] for name in wanted)) if wanted else None

    def forecast(self) -> tuple[Snapshot, Forecast]:
        """Give the latest snapshot and what the model expects.

        Raises
        ------
        ServerError
            NO_PREDICTION_YET.
        """
        latest = self._latest
        if latest.forecast is None:
            raise no_prediction_yet()
        return latest, latest.forecast

    def _begin(self, topology: Topology, seed: int) -> Run:
        now = datetime.now(UTC)
        started = now - timedelta(seconds=WARM_UP_FRAMES * FRAME_INTERVAL_S)
        hour = started.hour + started.minute / 60.0
        load = Load(diurnal=True, hour=hour, day=started.weekday())
        simulation = Simulation(topology, seed=seed, loads=[load])
        forecaster = Forecaster(topology.graph(), self._predictor, simulation.interval_s)
        detector = AnomalyDetector(topology.graph())
        for _ in range(WARM_UP_FRAMES - 1):
            frame = simulation.next_frame()
            time = started + timedelta(seconds=frame.t_s)
            forecaster.update(frame, time)
            detector.update(frame, time)
        self._simulation, self._forecaster, self._detector = simulation, forecaster, detector
        self._run = Run(uuid.uuid4().hex[:12], topology, seed, started)
        self._faults = ()
        self._numbers = itertools.count(1)
        self._sequence = 0
        self._history.clear()
        self._tick()
        return self._run

    def _tick(self) -> Snapshot:
        run = self._run
        frame = self._simulation.next_frame()
        time = run.start_time + timedelta(seconds=frame.t_s)
        forecast = self._forecaster.update(frame, time)
        self._faults = self._acting()
        self._sequence += 1
        self._latest = Snapshot(
            run=run,
            sequence=self._sequence,
            frame=frame,
            time=time,
            produced_time=datetime.now(UTC),
            statuses=statuses(frame, run.graph),
            anomalies=tuple(self._detector.update(frame, time)),
            forecast=forecast,
            faults=self._faults,
        )
        self._history.append(self._latest)
        return self._latest

    def _acting(self) -> tuple[ActiveFault, ...]:
        now = self._simulation.time_s
        return tuple(f for f in self._faults if f.fault.end_s > now)

    def _check(self, order: FaultOrder) -> None:
        """Check everything at once, so that a client learns of all that is wrong."""
        graph = self._latest.run.graph
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


def _explained(error: FaultError) -> ServerError:
    field = _PUBLIC_FIELDS.get(error.field, error.field)
    return invalid([Violation(field, str(error).partition(": ")[2])])
