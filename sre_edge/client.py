"""A typed client of the SRE Edge API."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sre_edge.connection import TARGET, Connection
from sre_edge.errors import InvalidRequest, Violation, from_rpc
from sre_edge.models import ModelCalls
from sre_edge.v1 import (
    chaos_service_pb2,
    chaos_service_pb2_grpc,
    clock_pb2,
    experiment_pb2,
    fault_pb2,
    incident_pb2,
    incident_service_pb2,
    incident_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
    simulation_service_pb2,
    simulation_service_pb2_grpc,
    snapshot_pb2,
    topology_pb2,
)
from sre_edge.watch import Event, watch

TIMEOUT_S = 10.0
RESET_TIMEOUT_S = 60.0
MOST_SERVICES = 500

Answer = TypeVar("Answer")


class Client(ModelCalls):
    """Calls one server; safe to use from several threads.

    Parameters
    ----------
    target
        host:port of the server, for plain traffic; or a `Connection`, for TLS and a token.
    timeout_s
        For calls with one answer.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     client.inject("database", "cpu_spike", duration_s=30)
    ...     for event in client.watch():
    ...         print(event)
    """

    def __init__(self, target: str | Connection = TARGET, *, timeout_s: float = TIMEOUT_S) -> None:
        connection = Connection(target) if isinstance(target, str) else target
        self.target = connection.target
        self._timeout_s = timeout_s
        self._channel = connection.channel()
        self._simulation = simulation_service_pb2_grpc.SimulationServiceStub(self._channel)
        self._chaos = chaos_service_pb2_grpc.ChaosServiceStub(self._channel)
        self._incident = incident_service_pb2_grpc.IncidentServiceStub(self._channel)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; streams end."""
        self._channel.close()

    def topology(self) -> topology_pb2.Topology:
        """Get the topology of the present run."""
        request = simulation_service_pb2.GetTopologyRequest()
        return self._call(self._simulation.GetTopology, request).topology

    def metrics(
        self, services: Iterable[str] = (), *, time: datetime | None = None
    ) -> snapshot_pb2.Snapshot:
        """Get the latest snapshot or the one at a past simulated time, of all services or some."""
        request = simulation_service_pb2.GetMetricsRequest(services=services, time=_timestamp(time))
        return self._call(self._simulation.GetMetrics, request).snapshot

    def history(
        self,
        metrics: Iterable[str],
        services: Iterable[str] = (),
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        max_points: int = 0,
    ) -> simulation_service_pb2.QueryHistoryResponse:
        """Look back at metrics over simulated time, as in `QueryHistoryRequest`."""
        request = simulation_service_pb2.QueryHistoryRequest(
            services=services,
            metrics=metrics,
            start_time=_timestamp(start),
            end_time=_timestamp(end),
            max_points=max_points,
        )
        return self._call(self._simulation.QueryHistory, request)

    def set_clock(
        self, *, paused: bool | None = None, speed: float | None = None
    ) -> clock_pb2.Clock:
        """Pause or resume the simulated clock, or set its speed; None leaves as it is."""
        request = simulation_service_pb2.SetClockRequest(paused=paused, speed=speed)
        return self._call(self._simulation.SetClock, request).clock

    def info(self) -> simulation_service_pb2.GetServerInfoResponse:
        """Ask what the server is, what it allows, and how it fares."""
        request = simulation_service_pb2.GetServerInfoRequest()
        return self._call(self._simulation.GetServerInfo, request)

    def watch(
        self,
        services: Iterable[str] = (),
        *,
        resume_after: snapshot_pb2.Cursor | None = None,
        reconnect: bool = True,
    ) -> Iterator[Event]:
        """Watch snapshots; goes on after a lost connection where it stopped.

        Parameters
        ----------
        services
            Which; none means all.
        resume_after
            Last snapshot that is known already.
        reconnect
            False: raise `Unavailable` instead of trying again.

        Yields
        ------
        `Connected`, `Disconnected`, a `Snapshot`, a `Gap` or a `Clock`; see `sre_edge.watch`.
        """
        return watch(
            self._simulation.StreamMetrics,
            tuple(services),
            self.target,
            resume_after=resume_after,
            reconnect=reconnect,
        )

    def predict(
        self,
        services: Iterable[str] = (),
        *,
        include_features: bool = False,
        explain: bool = False,
    ) -> prediction_service_pb2.PredictResponse:
        """Predict for all services or some, and for the system; `explain`: with the reasons."""
        request = prediction_service_pb2.PredictRequest(
            services=services, include_features=include_features, explain=explain
        )
        return self._call(self._prediction.Predict, request)

    def analysis(self, services: Iterable[str] = ()) -> prediction_service_pb2.GetAnalysisResponse:
        """Ask how all services or some stand: health, critical paths, anomalies."""
        request = prediction_service_pb2.GetAnalysisRequest(services=services)
        return self._call(self._prediction.GetAnalysis, request)

    def inject(
        self,
        target: str,
        kind: str | fault_pb2.FaultKind.ValueType,
        *,
        duration_s: float,
        intensity: float | None = None,
        ramp_s: float | None = None,
        share: float | None = None,
    ) -> fault_pb2.Fault:
        """Inject a fault.

        Parameters
        ----------
        target
            Service, or "caller->callee" for a partition of one edge.
        kind
            Such as "cpu_spike", or the enum.
        duration_s, intensity, ramp_s, share
            As in `InjectChaosRequest`; None is the server's default.

        Raises
        ------
        Refused
            The server said no, or a value cannot be sent at all.
        """
        request = chaos_service_pb2.InjectChaosRequest(
            target=target,
            kind=fault_kind(kind) if isinstance(kind, str) else kind,
            duration=_duration("duration", duration_s),
            intensity=intensity,
            ramp=None if ramp_s is None else _duration("ramp", ramp_s),
            share=share,
        )
        return self._call(self._chaos.InjectChaos, request).fault

    def stop(self, fault_id: str) -> list[fault_pb2.Fault]:
        """End a fault before its time."""
        request = chaos_service_pb2.StopChaosRequest(fault_id=fault_id)
        return list(self._call(self._chaos.StopChaos, request).stopped)

    def stop_all(self, *, kill_switch: bool = False) -> list[fault_pb2.Fault]:
        """End all faults; with the kill switch, no new one is taken until it is lifted."""
        request = chaos_service_pb2.StopChaosRequest(all=True)
        if kill_switch:
            request = chaos_service_pb2.StopChaosRequest(kill_switch=True)
        return list(self._call(self._chaos.StopChaos, request).stopped)

    def lift_kill_switch(self) -> bool:
        """Have faults taken again; return whether the kill switch was on."""
        request = chaos_service_pb2.LiftKillSwitchRequest()
        return self._call(self._chaos.LiftKillSwitch, request).lifted

    def experiments(self, count: int = 50) -> list[experiment_pb2.Experiment]:
        """List the newest experiments, at most so many, without what broke in each."""
        request = chaos_service_pb2.ListExperimentsRequest(page_size=count)
        return list(self._call(self._chaos.ListExperiments, request).experiments)

    def experiment(self, experiment_id: str) -> experiment_pb2.Experiment:
        """Get an experiment with what it led to."""
        request = chaos_service_pb2.GetExperimentRequest(experiment_id=experiment_id)
        return self._call(self._chaos.GetExperiment, request).experiment

    def incidents(
        self, service: str = "", *, is_open: bool = False, count: int = 50
    ) -> list[incident_pb2.Incident]:
        """List the newest incidents, at most so many; of one service, or those that go on."""
        request = incident_service_pb2.ListIncidentsRequest(service=service, page_size=count)
        if is_open:
            request.state = incident_pb2.INCIDENT_STATE_OPEN
        return list(self._call(self._incident.ListIncidents, request).incidents)

    def slos(
        self, services: Iterable[str] = (), *, firing: bool = False
    ) -> incident_service_pb2.ListSlosResponse:
        """Get the error budgets of all services or some, at most 500, or of those that alert."""
        request = incident_service_pb2.ListSlosRequest(
            services=services, firing=firing, page_size=MOST_SERVICES
        )
        return self._call(self._incident.ListSlos, request)

    def reset(self, seed: int | None = None, *, topology: str | None = None) -> str:
        """Begin a new run, healthy and without faults; return its identifier.

        Parameters
        ----------
        seed
            Of its random numbers; None: that of the present run.
        topology
            Text of a topology file; None: the present topology.
        """
        request = simulation_service_pb2.ResetRequest(seed=seed, topology=topology or "")
        return self._call(self._simulation.Reset, request, RESET_TIMEOUT_S).run_id

    def _call(
        self, method: Callable[..., Answer], request: Any, timeout_s: float | None = None
    ) -> Answer:
        try:
            return method(request, timeout=timeout_s or self._timeout_s)
        except grpc.RpcError as error:
            raise from_rpc(error, self.target) from error


def fault_kind(name: str) -> fault_pb2.FaultKind.ValueType:
    """Give the kind with a name such as "cpu_spike" or "FAULT_KIND_CPU_SPIKE".

    Raises
    ------
    InvalidRequest
        If there is none.
    """
    full = name.upper().replace("-", "_")
    full = full if full.startswith("FAULT_KIND_") else f"FAULT_KIND_{full}"
    if full in fault_pb2.FaultKind.keys()[1:]:
        return fault_pb2.FaultKind.Value(full)
    known = ", ".join(fault_kinds())
    raise _invalid("kind", f"expected one of {known}, got {name!r}")


def fault_kinds() -> list[str]:
    """Names of all kinds of faults, in lower case."""
    keys = fault_pb2.FaultKind.keys()[1:]
    return [key.removeprefix("FAULT_KIND_").lower() for key in keys]


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _duration(field: str, seconds: float) -> Duration:
    if not math.isfinite(seconds) or abs(seconds) > 1e9:
        raise _invalid(field, f"expected a finite number of seconds, got {seconds}")
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def _invalid(field: str, description: str) -> InvalidRequest:
    error = InvalidRequest(f"{field}: {description}", "INVALID_FIELD")
    error.violations = (Violation(field, description),)
    return error
