"""What a page shows: the latest state or a moment of the past, at an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.address import Address
from dashboard.source.state import Provider, State, end_of
from dashboard.text.times import moment
from sre_edge import SreEdgeError
from sre_edge.v1 import (
    alarm_pb2,
    experiment_pb2,
    fault_pb2,
    incident_pb2,
    snapshot_pb2,
    topology_pb2,
)


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """Input of a view.

    Attributes
    ----------
    snapshot
        Snapshot to show: the latest, or one of the past.
    stale
        Whether nothing new comes, so that values are old and nobody knows how things are.
    problem
        Why a moment of the past cannot be shown.
    now
        Current time, wall clock.
    """

    state: State
    address: Address
    provider: Provider
    snapshot: snapshot_pb2.Snapshot | None
    stale: bool
    problem: str
    now: datetime

    @property
    def replay(self) -> bool:
        """Whether a moment of the past is shown."""
        return self.address.at is not None

    @property
    def interval_s(self) -> float:
        """Length of the interval that is shown, seconds of simulated time."""
        return self.snapshot.interval_seconds if self.snapshot else 0.0

    @property
    def end(self) -> datetime | None:
        """Moment that is shown, simulated clock."""
        return end_of(self.snapshot) if self.snapshot else None

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """Start and end of charts and timelines, simulated clock."""
        end = self.end
        return (end - timedelta(seconds=self.address.seconds), end) if end else None

    @property
    def metrics(self) -> dict[str, snapshot_pb2.ServiceMetrics]:
        """What was observed, by service."""
        return {one.service: one for one in self.snapshot.services} if self.snapshot else {}

    def service(self, name: str) -> topology_pb2.Service | None:
        """A service of the topology."""
        services = self.state.topology.services if self.state.topology else ()
        return next((service for service in services if service.name == name), None)

    @property
    def threshold(self) -> float | None:
        """Probability from which on the live model raises an alarm."""
        models = self.state.records.models or ()
        return next((model.alarm_threshold for model in models if model.active), None)

    def faults(self) -> list[tuple[experiment_pb2.Experiment, fault_pb2.Fault]]:
        """Faults of this run that act somewhere in the time range."""
        return [
            (experiment, fault)
            for experiment in self.state.records.experiments or ()
            if experiment.run_id == self.state.run_id
            for fault in experiment.faults
            if self._within(moment(fault.start_time), moment(fault.end_time))
        ]

    def alarms(self, service: str = "") -> list[alarm_pb2.Alarm]:
        """Alarms of this run that were raised in the time range, of all services or one."""
        return [
            alarm
            for alarm in self.state.records.alarms or ()
            if alarm.run_id == self.state.run_id
            and service in ("", alarm.service)
            and self._within(moment(alarm.raise_time), moment(alarm.raise_time))
        ]

    def incidents(self, service: str = "") -> list[incident_pb2.Incident]:
        """Incidents of this run that go on somewhere in the time range, of all services or one."""
        return [
            incident
            for incident in self.state.records.incidents or ()
            if incident.run_id == self.state.run_id
            and (not service or any(one.service == service for one in incident.services))
            and self._within(
                moment(incident.onset_time),
                moment(incident.end_time) if incident.HasField("end_time") else None,
            )
        ]

    def _within(self, start: datetime, end: datetime | None) -> bool:
        span = self.span
        return span is not None and start <= span[1] and (end is None or end >= span[0])


def make_scene(state: State, address: Address, provider: Provider) -> Scene:
    """Make a scene; a moment of the past is requested from the server."""
    snapshot, problem = state.latest, ""
    if address.at is not None:
        snapshot = None
        try:
            snapshot = provider.moment(address.at)
        except SreEdgeError as error:
            problem = str(error)
    stale = (not state.connected or bool(state.stale)) and not (snapshot and address.at)
    return Scene(state, address, provider, snapshot, stale, problem, datetime.now(UTC))
