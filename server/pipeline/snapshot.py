"""What a system publishes each tick: immutable, and independent of the wire format."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ml.serving.anomalies import Anomaly
from ml.serving.predictor import Predictor
from server.errors import unknown_service
from server.pipeline.clock import Clock
from server.records.experiments import InjectedFault
from server.records.findings import Status
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a system; a restart or a reset begins another.

    Attributes
    ----------
    id
        Unique identifier.
    name
        Name of the system.
    seed
        Seed of the randomness behind its frames; 0 if there is none.
    start_time
        Time of second 0 of its frames.
    system
        Id of the system.
    """

    id: str
    name: str
    seed: int
    start_time: datetime
    system: str

    def at(self, seconds: float) -> datetime:
        """Time of a second of the run."""
        return self.start_time + timedelta(seconds=seconds)


@dataclass(frozen=True, eq=False, slots=True)
class Forecast:
    """Predictions of the model; arrays of shape (S,), (S, K) and (S, F).

    Attributes
    ----------
    probability
        Probability of an incident of each service within the horizon; 1 during an incident.
    ongoing
        Whether each service is in an incident.
    system_probability
        Probability of an incident of any entry service.
    types
        Probability of each incident type, if there is an incident; NaN at low risk.
    cascade_risk
        Probability that a failure of each service spreads to an entry service.
    features
        Features of each service, in the order of `ml.features.NAMES`; (0, F) in snapshots before
        the latest one.
    rows
        Inputs of the trees, (S, M) or (0, M).
    active
        Whether something has changed lately, so that the trees are evaluated.
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
    active: NDArray[np.bool_]
    predictor: Predictor

    @property
    def horizon_s(self) -> float:
        """How far the model looks ahead, seconds."""
        return self.predictor.manifest.horizon_s

    @property
    def model_version(self) -> str:
        """Version of the model."""
        return self.predictor.manifest.version


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """State of a system over one tick.

    Attributes
    ----------
    run
        Run of the snapshot.
    graph
        The system.
    graph_since
        Sequence number of the run's first snapshot with this graph; 0 if the run had it from the
        start.
    sequence
        Number in its run, from 1 on, without gaps.
    frame
        Observed values; one copy.
    time, produced_time
        Start of the interval on the clock of the system; when it was computed, wall clock.
    statuses
        Status of each service.
    anomalies
        Anomalies, in topology order.
    forecast
        Predictions; None while the model has no baseline.
    clock
        State of the clock when the snapshot was made.
    faults
        Active faults, including those that start with the next step.
    kill_switch
        Whether faults are refused.
    """

    run: Run
    graph: ServiceGraph
    graph_since: int
    sequence: int
    frame: Frame
    time: datetime
    produced_time: datetime
    statuses: tuple[Status, ...]
    anomalies: tuple[Anomaly, ...]
    forecast: Forecast | None
    clock: Clock
    faults: tuple[InjectedFault, ...] = ()
    kill_switch: bool = False

    def without_features(self) -> Snapshot:
        """Drop the features, which take most of the memory."""
        if self.forecast is None:
            return self
        features, rows = self.forecast.features[:0].copy(), self.forecast.rows[:0].copy()
        return replace(self, forecast=replace(self.forecast, features=features, rows=rows))

    @property
    def end_time(self) -> datetime:
        """End of the interval on the clock of the system: predictions hold from then on."""
        return self.time + timedelta(seconds=self.frame.interval_s)

    def present(self, names: Collection[str]) -> tuple[int, ...] | None:
        """Get the indices of those services that this snapshot has; None for all."""
        index = self.graph.index
        return tuple(sorted(index[name] for name in set(names) & index.keys())) if names else None

    def indices(self, names: Collection[str]) -> tuple[int, ...] | None:
        """Get the indices of services, as `indices` does."""
        return indices(self.graph, names)


def indices(graph: ServiceGraph, names: Collection[str]) -> tuple[int, ...] | None:
    """Get the indices of services in topology order; None for all.

    Raises
    ------
    ServerError
        UNKNOWN_SERVICE.
    """
    try:
        found = [graph.index[name] for name in names]
    except KeyError:
        unknown = min(name for name in names if name not in graph.index)
        raise unknown_service(unknown, graph.names) from None
    return tuple(sorted(set(found)) if len(found) > 1 else found) or None
