"""The fake server: what it knows, and what it answers."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from sre_edge.freshness import HEARTBEAT_S
from sre_edge.testing.catalog import catalog
from sre_edge.testing.failure import Failure
from sre_edge.testing.handlers import Handlers
from sre_edge.v1 import (
    chaos_service_pb2,
    event_pb2,
    heartbeat_pb2,
    incident_service_pb2,
    prediction_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
    system_pb2,
)

_LEVELS = (
    (0.8, prediction_pb2.RISK_LEVEL_CRITICAL),
    (0.6, prediction_pb2.RISK_LEVEL_HIGH),
    (0.3, prediction_pb2.RISK_LEVEL_MEDIUM),
)
_THREADS = 32

Answer = Message | Failure | Callable[[Any], Message]


class FakeServer:
    """A fake server; listens on a free loopback port while its context is entered.

    Snapshots come when `tick` makes them. Calls answer with what `answers` holds, else with what
    follows from the services and the last tick, else with an empty message.

    Parameters
    ----------
    services
        Names of the services.

    Attributes
    ----------
    target
        host:port, for a client.
    answers
        By name of a call, such as "Predict": a message, a `Failure`, or a function of the request.
    unknown
        Names of calls that it does not know, as an older server.
    heartbeat
        What a stream sends when nothing else has happened for `HEARTBEAT_S`; None: nothing, as an
        older server.
    """

    def __init__(self, services: Iterable[str] = ("api-gateway", "database")) -> None:
        self.services = list(services)
        self.answers: dict[str, Answer] = {
            "GetTopology": self._topology, "GetMetrics": self._metrics, "Predict": self._predict,
            "InjectChaos": self._inject, "Reset": self._reset,
            "GetCatalog": simulation_service_pb2.GetCatalogResponse(catalog=catalog()),
        }  # fmt: skip
        self.unknown: set[str] = set()
        self.heartbeat: heartbeat_pb2.Heartbeat | None = heartbeat_pb2.Heartbeat(
            state=system_pb2.SYSTEM_STATE_LIVE
        )
        self.target = ""
        self._run_id = uuid.uuid4().hex[:12]
        self._snapshots: list[snapshot_pb2.Snapshot] = []
        self._requests: list[tuple[str, Any]] = []
        self._faults = itertools.count(1)
        self._changed = threading.Condition()
        self._losses = 0
        self._streams = 0
        self._server: grpc.Server | None = None
        self.tick()

    def __enter__(self) -> FakeServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start to listen, on the same port as before if there was one."""
        server = grpc.server(
            futures.ThreadPoolExecutor(_THREADS), handlers=[Handlers(self)],
            options=[("grpc.so_reuseport", 0)],
        )  # fmt: skip
        port = server.add_insecure_port(self.target or "127.0.0.1:0")
        self.target = f"127.0.0.1:{port}"
        server.start()
        self._server = server

    def stop(self) -> None:
        """End all streams and stop listening."""
        self.lose_streams()
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def tick(self, risk: Mapping[str, float] | None = None) -> snapshot_pb2.Snapshot:
        """Make the next snapshot, and send it to all streams.

        Parameters
        ----------
        risk
            Incident probability by service; 0.01 for the others.
        """
        with self._changed:
            snapshot = snapshot_pb2.Snapshot(interval_seconds=2.0)
            snapshot.cursor.run_id = self._run_id
            snapshot.cursor.sequence = len(self._snapshots) + 1
            snapshot.time.FromSeconds(1_893_492_000 + 2 * len(self._snapshots))
            predictions = [
                _prediction(name, (risk or {}).get(name, 0.01)) for name in self.services
            ]
            for one in predictions:
                snapshot.services.add(
                    service=one.service, status=snapshot_pb2.STATUS_HEALTHY, prediction=one
                )
            snapshot.system.incident_probability = max(
                (one.incident_probability for one in predictions), default=0.0
            )
            self._snapshots.append(snapshot)
            self._changed.notify_all()
            return snapshot

    def begin_run(self) -> str:
        """Begin another run, as after a reset or a restart; return its identifier."""
        with self._changed:
            self._run_id = uuid.uuid4().hex[:12]
            self._snapshots.clear()
        self.tick()
        return self._run_id

    def lose_streams(self) -> None:
        """End all open streams as a lost connection does."""
        with self._changed:
            self._losses += 1
            self._changed.notify_all()

    @property
    def streams(self) -> int:
        """Streams that are open."""
        with self._changed:
            return self._streams

    def requests(self, call: str) -> list[Any]:
        """Give the requests of a call so far, such as "InjectChaos"."""
        with self._changed:
            return [request for name, request in self._requests if name == call]

    def answer(self, method: Any, request: Any) -> Message:
        """Answer a call with one answer."""
        with self._changed:
            self._requests.append((method.name, request))
        found = self.answers.get(method.name)
        if isinstance(found, Failure):
            raise found
        if isinstance(found, Message):
            return found
        if found is not None:
            return found(request)
        empty: Message = GetMessageClass(method.output_type)()
        return empty

    def stream(self, method: Any, request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
        """Answer a call with a stream: of snapshots, or of events, of which there are none."""
        with self._changed:
            self._requests.append((method.name, request))
            losses, self._streams = self._losses, self._streams + 1
        context.add_callback(self._wake)
        try:
            found = self.answers.get(method.name)
            if isinstance(found, Failure):
                raise found
            if method.name == "StreamMetrics":
                yield from self._stream(request, lambda: self._goes_on(context, losses))
            else:
                position = event_pb2.EventCursor(run_id=self._run_id)
                yield incident_service_pb2.StreamEventsResponse(position=position)
                while self._idle(lambda: not self._goes_on(context, losses)):
                    if self.heartbeat:
                        yield incident_service_pb2.StreamEventsResponse(heartbeat=self.heartbeat)
            if context.is_active():
                raise Failure(grpc.StatusCode.UNAVAILABLE, message="the stream was lost")
        finally:
            with self._changed:
                self._streams -= 1

    def _stream(
        self, request: Any, goes_on: Callable[[], bool]
    ) -> Iterator[simulation_service_pb2.StreamMetricsResponse]:
        self._filtered(self._snapshots[-1], request.services)  # refuses unknown names
        run_id, sequence = request.resume_after.run_id, request.resume_after.sequence
        if not run_id:
            run_id, sequence = self._run_id, len(self._snapshots) - 1
        if run_id == self._run_id and sequence > len(self._snapshots):
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "of the future")

        def happened() -> bool:
            return not (goes_on() and run_id == self._run_id and sequence == len(self._snapshots))

        while True:
            while self._idle(happened):
                if self.heartbeat:
                    yield simulation_service_pb2.StreamMetricsResponse(heartbeat=self.heartbeat)
            with self._changed:
                if not goes_on():
                    return
                ended = run_id if run_id != self._run_id else ""
                if ended:
                    run_id, sequence = self._run_id, len(self._snapshots) - 1
                snapshot = self._snapshots[sequence]
                sequence += 1
            if ended:
                gap = snapshot_pb2.Gap(reason=snapshot_pb2.GAP_REASON_RUN_ENDED, run_id=ended)
                yield simulation_service_pb2.StreamMetricsResponse(gap=gap)
            snapshot = self._filtered(snapshot, request.services)
            yield simulation_service_pb2.StreamMetricsResponse(snapshot=snapshot)

    def _idle(self, happened: Callable[[], bool]) -> bool:
        """Wait until something has happened; return whether a heartbeat is due instead."""
        with self._changed:
            return not self._changed.wait_for(happened, HEARTBEAT_S)

    def _goes_on(self, context: grpc.ServicerContext, losses: int) -> bool:
        return bool(context.is_active()) and losses == self._losses

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _filtered(
        self, snapshot: snapshot_pb2.Snapshot, names: Iterable[str]
    ) -> snapshot_pb2.Snapshot:
        wanted = list(names) or self.services
        self._known(wanted)
        copy = snapshot_pb2.Snapshot()
        copy.CopyFrom(snapshot)
        del copy.services[:]
        copy.services.extend(one for one in snapshot.services if one.service in wanted)
        return copy

    def _known(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.services:
                known = ",".join(self.services)
                raise Failure(
                    grpc.StatusCode.NOT_FOUND, "UNKNOWN_SERVICE",
                    f"no service is named {name!r}; known: {known}",
                    metadata={"service": name, "known": known},
                )  # fmt: skip

    def _topology(self, _: Any) -> simulation_service_pb2.GetTopologyResponse:
        answer = simulation_service_pb2.GetTopologyResponse(run_id=self._run_id)
        answer.topology.name = "fake"
        for name in self.services:
            answer.topology.services.add(name=name)
        return answer

    def _metrics(self, request: Any) -> simulation_service_pb2.GetMetricsResponse:
        snapshot = self._filtered(self._snapshots[-1], request.services)
        return simulation_service_pb2.GetMetricsResponse(snapshot=snapshot)

    def _predict(self, request: Any) -> prediction_service_pb2.PredictResponse:
        snapshot = self._filtered(self._snapshots[-1], request.services)
        return prediction_service_pb2.PredictResponse(
            predictions=[one.prediction for one in snapshot.services],
            system=snapshot.system, cursor=snapshot.cursor, time=snapshot.time,
        )  # fmt: skip

    def _inject(self, request: Any) -> chaos_service_pb2.InjectChaosResponse:
        self._known(request.target.split("->"))
        answer = chaos_service_pb2.InjectChaosResponse()
        number = next(self._faults)
        answer.fault.id, answer.fault.experiment_id = f"f-{number}", f"x-{self._run_id}-{number}"
        answer.fault.target, answer.fault.kind = request.target, request.kind
        answer.fault.duration.CopyFrom(request.duration)
        answer.fault.intensity = request.intensity if request.HasField("intensity") else 1.0
        answer.fault.share = request.share if request.HasField("share") else 1.0
        return answer

    def _reset(self, _: Any) -> simulation_service_pb2.ResetResponse:
        return simulation_service_pb2.ResetResponse(run_id=self.begin_run())


def _prediction(service: str, probability: float) -> prediction_pb2.Prediction:
    level = next(
        (level for lower, level in _LEVELS if probability >= lower), prediction_pb2.RISK_LEVEL_LOW
    )
    return prediction_pb2.Prediction(
        service=service, incident_probability=probability, risk_level=level
    )
