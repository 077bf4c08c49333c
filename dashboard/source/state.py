"""The state at a moment, and the further data that a page may request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

from sre_edge.v1 import (
    alarm_pb2,
    catalog_pb2,
    clock_pb2,
    event_pb2,
    experiment_pb2,
    fault_pb2,
    incident_pb2,
    incident_service_pb2,
    model_pb2,
    prediction_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
    topology_pb2,
    training_pb2,
)


@dataclass(frozen=True, eq=False, slots=True)
class Records:
    """Records of the server; None until they were requested.

    Attributes
    ----------
    incidents, experiments, alarms, models
        Lists of these, newest first.
    problems
        Why a list is missing or old, by its name.
    """

    incidents: Sequence[incident_pb2.Incident] | None = None
    experiments: Sequence[experiment_pb2.Experiment] | None = None
    alarms: Sequence[alarm_pb2.Alarm] | None = None
    slos: incident_service_pb2.ListSlosResponse | None = None
    models: Sequence[model_pb2.Model] | None = None
    training: Sequence[training_pb2.Training] | None = None
    info: simulation_service_pb2.GetServerInfoResponse | None = None
    problems: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """State at a moment; immutable, replaced as a whole.

    Attributes
    ----------
    version
        Rises with every replacement.
    connected
        Whether the stream delivers.
    reason
        Why it does not, a text for people.
    stale
        Since when there has been no new data, and why, although it does; "": there is.
    topology
        None before the first answer of a server.
    snapshots
        Recent snapshots of the present run, oldest first.
    clock
        The simulated clock: whether it runs, and how fast.
    events
        Of the present run, newest first.
    catalog
        Metrics and kinds of faults; empty before the first answer of a server.
    """

    version: int = 0
    connected: bool = False
    reason: str = "connecting"
    stale: str = ""
    topology: topology_pb2.Topology | None = None
    snapshots: tuple[snapshot_pb2.Snapshot, ...] = ()
    clock: clock_pb2.Clock | None = None
    events: tuple[event_pb2.Event, ...] = ()
    records: Records = field(default_factory=Records)
    catalog: catalog_pb2.Catalog = field(default_factory=catalog_pb2.Catalog)

    @property
    def latest(self) -> snapshot_pb2.Snapshot | None:
        """The latest snapshot, if there is one."""
        return self.snapshots[-1] if self.snapshots else None

    @property
    def run_id(self) -> str:
        """The present run; "" before the first snapshot."""
        return self.snapshots[-1].cursor.run_id if self.snapshots else ""


def end_of(snapshot: snapshot_pb2.Snapshot) -> datetime:
    """End of the interval of a snapshot, simulated clock."""
    seconds = snapshot.time.ToDatetime(tzinfo=UTC).timestamp() + snapshot.interval_seconds
    return datetime.fromtimestamp(seconds, UTC)


class Provider(Protocol):
    """Source of everything that pages show; tests have a fake one. Calls raise `SreEdgeError`."""

    @property
    def state(self) -> State:
        """What is known now."""
        ...

    @property
    def target(self) -> str:
        """Address of the server."""
        ...

    @property
    def tabs(self) -> int:
        """How many pages are open."""
        ...

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called, from any thread, whenever the state is replaced.

        Returns
        -------
        A function that ends the subscription.
        """
        ...

    def refresh(self, *names: str) -> None:
        """Ask for some of the records anew, soon."""
        ...

    def history(
        self, service: str, metrics: Sequence[str], start: datetime, end: datetime | None
    ) -> simulation_service_pb2.QueryHistoryResponse:
        """Get the history of one service."""
        ...

    def moment(self, time: datetime) -> snapshot_pb2.Snapshot:
        """Get the state of the system at a past simulated time."""
        ...

    def explain(self, service: str) -> prediction_pb2.Prediction:
        """Predict with reasons and inputs."""
        ...

    def analysis(self, service: str) -> prediction_service_pb2.GetAnalysisResponse:
        """Analyse a service: health, critical paths, anomalies."""
        ...

    def experiment(self, experiment_id: str) -> experiment_pb2.Experiment:
        """Get an experiment with what broke."""
        ...

    def model(self, version: str) -> prediction_service_pb2.GetModelResponse:
        """Describe a model; "" is the live one."""
        ...

    def inject(
        self,
        target: str,
        kind: fault_pb2.FaultKind.ValueType,
        *,
        duration_s: float,
        intensity: float | None = None,
        ramp_s: float | None = None,
        share: float | None = None,
    ) -> fault_pb2.Fault:
        """Inject one fault."""
        ...

    def run_scenario(self, document: str) -> experiment_pb2.Experiment:
        """Run a scenario file on the live system."""
        ...

    def stop(self, *, fault: str = "", experiment: str = "") -> int:
        """End a fault, an experiment, or with neither all; returns how many faults ended."""
        ...

    def kill_switch(self, *, engage: bool) -> None:
        """End all faults and take no more, or take them again."""
        ...

    def reset(self) -> None:
        """Begin a new run."""
        ...

    def set_clock(self, *, paused: bool | None = None, speed: float | None = None) -> None:
        """Pause or resume simulated time, or set its speed."""
        ...

    def activate(self, version: str) -> str:
        """Make a model live; returns the version before."""
        ...

    def train(self, **sizes: int) -> training_pb2.Training:
        """Begin a training; `sizes` as in `StartTrainingRequest`."""
        ...
