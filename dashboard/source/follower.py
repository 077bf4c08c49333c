"""Follows one server: a stream of snapshots, one of events, and the records."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dashboard.source.records import RecordCache
from dashboard.source.state import Records, State
from sre_edge import (
    Client,
    Connected,
    Connection,
    Disconnected,
    InvalidRequest,
    SreEdgeError,
    Stale,
    Unavailable,
)
from sre_edge.v1 import (
    clock_pb2,
    event_pb2,
    experiment_pb2,
    fault_pb2,
    prediction_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
    topology_pb2,
    training_pb2,
)

HISTORY = 60
"""Snapshots that are kept, for sparklines; the server has the history."""
EVENTS = 2_000
RETRY_S = 1.0
MAX_POINTS = 300

_log = logging.getLogger(__name__)


class Follower:
    """The live provider; `start` it after the process has forked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._state = State()
        self._lock = threading.Lock()
        self._listeners: set[Callable[[], None]] = set()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._client: Client | None = None
        self._asking: Client | None = None
        self._cache: RecordCache | None = None
        self._models: dict[str, prediction_service_pb2.GetModelResponse] = {}
        self._threads = [
            threading.Thread(target=self._forever, args=(follow,), name=name, daemon=True)
            for name, follow in (
                ("snapshots", self._follow_snapshots),
                ("events", self._follow_events),
                ("records", self._follow_records),
            )
        ]

    @property
    def state(self) -> State:
        """What is known now."""
        return self._state

    @property
    def target(self) -> str:
        """Address of the server."""
        return self._connection.target

    @property
    def tabs(self) -> int:
        """How many pages are open."""
        return len(self._listeners)

    def start(self) -> None:
        """Open the channel and follow.

        Raises
        ------
        SreEdgeError
            If a file of the connection cannot be used.
        """
        self._client, self._asking = Client(self._connection), Client(self._connection)
        self._cache = RecordCache(self._client)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the streams and close the channel."""
        self._stopping.set()
        self._wake.set()
        for client in (self._client, self._asking):
            if client is not None:
                client.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5.0)

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called whenever the state is replaced; the answer ends it."""
        self._listeners.add(changed)
        self._wake.set()
        return lambda: self._listeners.discard(changed)

    def refresh(self, *names: str) -> None:
        """Ask for some of the records anew, soon."""
        if self._cache is not None:
            self._cache.invalidate(*names)
            self._wake.set()

    # Following

    def _replace(self, **changes: Any) -> None:
        with self._lock:
            self._state = replace(self._state, version=self._state.version + 1, **changes)
        for changed in tuple(self._listeners):
            changed()

    def _forever(self, follow: Callable[[Client], None]) -> None:
        while not self._stopping.is_set():
            try:
                follow(self._calls())
            except Exception as error:  # a thread must outlive whatever a server sends
                if self._stopping.is_set():
                    return
                reason = str(error)
                if not isinstance(error, SreEdgeError):
                    _log.exception("following the server failed")
                    reason = "something went wrong in the dashboard; its log has details"
                if follow == self._follow_snapshots:
                    self._replace(connected=False, reason=reason)
            self._stopping.wait(RETRY_S)

    def _follow_snapshots(self, client: Client) -> None:
        latest = self._state.latest
        kept = deque(self._state.snapshots, maxlen=HISTORY)
        for event in client.watch(resume_after=latest.cursor if latest else None):
            if self._stopping.is_set():
                return
            if isinstance(event, Disconnected):
                self._replace(connected=False, reason=event.reason)
            elif isinstance(event, Stale) and event.silent:
                self._replace(connected=False, reason=str(event))
                self._give_up_asking()
            elif isinstance(event, Stale):
                self._replace(stale=str(event))
            elif isinstance(event, Connected) and self._state.latest is not None:
                self._replace(connected=True, reason="", stale="")
            elif isinstance(event, clock_pb2.Clock):
                self._replace(clock=event)
            elif isinstance(event, snapshot_pb2.Snapshot):
                topology = self._take(client, kept, event)
                self._replace(
                    connected=True, reason="", stale="", topology=topology,
                    snapshots=tuple(kept), clock=event.clock,
                )  # fmt: skip
                if len(kept) == 1:  # another run: nothing that was known holds
                    self._replace(records=Records(), events=())
                    self.refresh()

    def _take(
        self, client: Client, kept: deque[snapshot_pb2.Snapshot], snapshot: snapshot_pb2.Snapshot
    ) -> topology_pb2.Topology:
        known, latest = self._state.topology, kept[-1] if kept else None
        if latest is None or latest.cursor.run_id != snapshot.cursor.run_id:
            kept.clear()
            known = client.topology()
            self._replace(catalog=client.catalog())
        elif latest.topology_sequence != snapshot.topology_sequence:
            known = client.topology()  # services or calls have come or gone
        kept.append(snapshot)
        return known or client.topology()

    def _follow_events(self, client: Client) -> None:
        run_id, events = self._state.run_id, self._state.events
        if not run_id:
            return
        cursor = event_pb2.EventCursor(run_id=run_id)
        if events and events[0].cursor.run_id == run_id:
            cursor = events[0].cursor
        try:
            self._take_events(client, cursor)
        except InvalidRequest:  # a server that has begun anew does not know our cursor
            self._replace(events=())

    def _take_events(self, client: Client, cursor: event_pb2.EventCursor) -> None:
        for event in client.events(resume_after=cursor, reconnect=False):
            if self._stopping.is_set():
                return
            if not isinstance(event, event_pb2.Event):
                continue
            before = self._state.events
            if before and before[0].cursor.run_id != event.cursor.run_id:
                before = ()
            self._replace(events=(event, *before[: EVENTS - 1]))
            if self._cache is not None and self._cache.outdated(event.kind):
                self._wake.set()

    def _follow_records(self, _: Client) -> None:
        while not self._stopping.is_set():
            self._wake.wait(RETRY_S)
            self._wake.clear()
            if not self._listeners or not self._state.connected or self._cache is None:
                continue
            run_id, before = self._state.run_id, self._state.records
            records = self._cache.refreshed(before)
            if records is not before and run_id == self._state.run_id:
                self._replace(records=records)

    # Asking

    def _calls(self) -> Client:
        if self._client is None:
            raise SreEdgeError("the dashboard has not started yet")
        return self._client

    def _ask(self) -> Client:
        """Get the client that pages ask with while they are drawn."""
        if self._asking is None or not self._state.connected:
            raise Unavailable(self._state.reason)
        return self._asking

    def _give_up_asking(self) -> None:
        """Let no page wait for an answer: it has to say that the server is silent."""
        if self._asking is not None:
            waiting, self._asking = self._asking, Client(self._connection)
            waiting.close()

    def history(
        self, service: str, metrics: Sequence[str], start: datetime, end: datetime | None
    ) -> simulation_service_pb2.QueryHistoryResponse:
        """Get the history of one service."""
        return self._ask().history(metrics, [service], start=start, end=end, max_points=MAX_POINTS)

    def moment(self, time: datetime) -> snapshot_pb2.Snapshot:
        """Get the state of the system at a past simulated time."""
        return self._ask().metrics(time=time)

    def explain(self, service: str) -> prediction_pb2.Prediction:
        """Predict with reasons and inputs."""
        answer = self._ask().predict([service], include_features=True, explain=True)
        return answer.predictions[0]

    def analysis(self, service: str) -> prediction_service_pb2.GetAnalysisResponse:
        """Analyse a service."""
        return self._ask().analysis([service])

    def experiment(self, experiment_id: str) -> experiment_pb2.Experiment:
        """Get an experiment with what broke."""
        return self._ask().experiment(experiment_id)

    def model(self, version: str) -> prediction_service_pb2.GetModelResponse:
        """Describe a model; "" is the live one. A model never changes, so it is asked for once."""
        models = self._state.records.models or ()
        wanted = version or next((model.version for model in models if model.active), "")
        if wanted not in self._models:
            found = self._ask().model(wanted)
            self._models[found.model.version] = found
            wanted = found.model.version
        return self._models[wanted]

    # Acting

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
        return self._calls().inject(
            target, kind, duration_s=duration_s, intensity=intensity, ramp_s=ramp_s, share=share
        )

    def run_scenario(self, document: str) -> experiment_pb2.Experiment:
        """Run a scenario file on the live system."""
        return self._calls().run_scenario(document)

    def stop(self, *, fault: str = "", experiment: str = "") -> int:
        """End a fault, an experiment, or all; returns how many faults ended."""
        calls = self._calls()
        if fault:
            return len(calls.stop(fault))
        return len(calls.stop_experiment(experiment) if experiment else calls.stop_all())

    def kill_switch(self, *, engage: bool) -> None:
        """End all faults and take no more, or take them again."""
        if engage:
            self._calls().stop_all(kill_switch=True)
        else:
            self._calls().lift_kill_switch()

    def reset(self) -> None:
        """Begin a new run."""
        self._calls().reset()

    def set_clock(self, *, paused: bool | None = None, speed: float | None = None) -> None:
        """Pause or resume simulated time, or set its speed."""
        clock = self._calls().set_clock(paused=paused, speed=speed)
        self._replace(clock=clock)

    def activate(self, version: str) -> str:
        """Make a model live; returns the version before."""
        return self._calls().activate_model(version).previous_version

    def train(self, **sizes: int) -> training_pb2.Training:
        """Begin a training."""
        return self._calls().train(**sizes)
