"""What the engine publishes each tick: immutable, and free of any wire format."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from ml.definitions.breach import breached
from ml.serving.anomalies import Anomaly
from ml.serving.predictor import Predictor
from server.errors import unknown_service
from server.systems.clock import Clock
from simulator.topology.resolved import Topology
from telemetry.faults import Fault
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph


class Status(Enum):
    """State of a service over one interval."""

    HEALTHY = auto()
    DEGRADED = auto()
    DOWN = auto()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the system; a restart or a reset begins another.

    Attributes
    ----------
    id
        Unique.
    topology
        What is simulated.
    seed
        Of its randomness.
    start_time
        Simulated clock at simulated second 0.
    """

    id: str
    topology: Topology
    seed: int
    start_time: datetime

    @property
    def graph(self) -> ServiceGraph:
        """Static view of the system."""
        return self.topology.graph()

    def indices(self, names: Collection[str]) -> tuple[int, ...] | None:
        """Give the indices of services in topology order; None for all.

        Raises
        ------
        ServerError
            UNKNOWN_SERVICE.
        """
        graph = self.graph
        index = graph.index
        try:
            found = [index[name] for name in names]
        except KeyError:
            unknown = min(name for name in names if name not in index)
            raise unknown_service(unknown, graph.names) from None
        return tuple(sorted(set(found)) if len(found) > 1 else found) or None


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault with its identifier, and that of the experiment that it is a part of."""

    id: str
    fault: Fault
    experiment_id: str


@dataclass(frozen=True, eq=False, slots=True)
class Forecast:
    """What the model expects; arrays of shape (S,), (S, K) and (S, F).

    Attributes
    ----------
    probability
        Of an incident of each service within the horizon; 1 while one goes on.
    ongoing
        Whether an incident of each service goes on.
    system_probability
        Of an incident of any entry.
    types
        Probability of each incident type, if there is an incident; NaN at low risk.
    cascade_risk
        Probability that a failure of each service spreads to an entry.
    features
        What is known of each service, in the order of `ml.features.NAMES`; (0, F) of a snapshot
        that is not the latest any more.
    rows
        What the trees see of it, (S, M) or (0, M).
    moved
        Where something has moved lately: the services that the trees are asked for.
    predictor
        The model.
    """

    probability: FloatArray
    ongoing: NDArray[np.bool_]
    system_probability: float
    types: FloatArray
    cascade_risk: FloatArray
    features: FloatArray
    rows: NDArray[np.float32]
    moved: NDArray[np.bool_]
    predictor: Predictor

    @property
    def horizon_s(self) -> float:
        """How far it looks ahead, seconds."""
        return self.predictor.manifest.horizon_s

    @property
    def model_version(self) -> str:
        """Which model it is."""
        return self.predictor.manifest.version


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """State of the system over one tick.

    Attributes
    ----------
    run
        Which it belongs to.
    sequence
        Number within the run, from 1 on, without holes.
    frame
        What monitoring sees; one copy.
    time, produced_time
        Start of the interval on the simulated clock; when it was computed, wall clock.
    statuses
        One per service.
    anomalies
        What is not as usual, in topology order.
    forecast
        None while the model has no baseline.
    clock
        The simulated clock when it was made.
    faults
        Those that act, and those that act from the next step on.
    kill_switch
        Whether faults are refused.
    """

    run: Run
    sequence: int
    frame: Frame
    time: datetime
    produced_time: datetime
    statuses: tuple[Status, ...]
    anomalies: tuple[Anomaly, ...]
    forecast: Forecast | None
    clock: Clock
    faults: tuple[ActiveFault, ...] = ()
    kill_switch: bool = False

    def without_features(self) -> Snapshot:
        """Give the same without what the model saw, which takes most of the memory."""
        if self.forecast is None:
            return self
        features, rows = self.forecast.features[:0].copy(), self.forecast.rows[:0].copy()
        return replace(self, forecast=replace(self.forecast, features=features, rows=rows))

    @property
    def end_time(self) -> datetime:
        """End of the interval on the simulated clock: predictions hold from then on."""
        return self.time + timedelta(seconds=self.frame.interval_s)


def statuses(frame: Frame, graph: ServiceGraph) -> tuple[Status, ...]:
    """Status of each service of copy 0."""
    bad: NDArray[np.bool_] = breached(frame, graph)[0]
    with np.errstate(invalid="ignore"):
        down = (frame.availability_percent[0] <= 0) | (frame.error_rate_percent[0] >= 100.0)
    return tuple(
        Status.DOWN if gone else Status.DEGRADED if trouble else Status.HEALTHY
        for gone, trouble in zip(down, bad, strict=True)
    )
