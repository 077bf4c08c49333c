"""One run while it goes: the simulation, and what follows its frames."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from ml.serving.anomalies import AnomalyDetector
from ml.serving.predictor import Predictor
from server.pipeline.forecast import Forecaster
from server.pipeline.snapshot import Run, Snapshot, statuses
from server.systems.clock import Clock
from simulator.simulation import Load, Simulation
from simulator.topology.resolved import Topology
from telemetry.frame import FRAME_INTERVAL_S

WARM_UP_FRAMES = 60
"""Simulated before a run is shown, so that the model knows what is normal."""


class LiveRun:
    """A run that has warmed up; takes seconds to make for a large system.

    Parameters
    ----------
    topology
        What to simulate.
    predictor
        The model.
    seed
        Of its randomness.
    now
        Wall clock; the simulated one begins with it.
    """

    def __init__(self, topology: Topology, predictor: Predictor, seed: int, now: datetime) -> None:
        started = now - timedelta(seconds=WARM_UP_FRAMES * FRAME_INTERVAL_S)
        hour = started.hour + started.minute / 60.0
        load = Load(diurnal=True, hour=hour, day=started.weekday())
        self.simulation = Simulation(topology, seed=seed, loads=[load])
        self._forecaster = Forecaster(topology.graph(), predictor, self.simulation.interval_s)
        self._detector = AnomalyDetector(topology.graph())
        self.run = Run(uuid.uuid4().hex[:12], topology, seed, started)
        for _ in range(WARM_UP_FRAMES - 1):
            frame = self.simulation.next_frame()
            time = started + timedelta(seconds=frame.t_s)
            self._forecaster.update(frame, time)
            self._detector.update(frame, time)

    def use(self, predictor: Predictor) -> None:
        """Predict with another model from the next frame on."""
        self._forecaster.use(predictor)

    def advance(self, sequence: int, clock: Clock, now: datetime) -> Snapshot:
        """Advance by one interval, and say what is seen; `now` is the wall clock."""
        run = self.run
        frame = self.simulation.next_frame()
        time = run.start_time + timedelta(seconds=frame.t_s)
        forecast = self._forecaster.update(frame, time)
        return Snapshot(
            run=run,
            sequence=sequence,
            frame=frame,
            time=time,
            produced_time=now,
            statuses=statuses(frame, run.graph),
            anomalies=tuple(self._detector.update(frame, time)),
            forecast=forecast,
            clock=clock,
        )
