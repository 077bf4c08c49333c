"""Where the dashboard gets its state from: one stream for the whole process."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from dashboard.events import Event, between
from sre_edge import Client, Connected, Connection, Disconnected, SreEdgeError
from sre_edge.v1 import fault_pb2, prediction_pb2, snapshot_pb2, topology_pb2

HISTORY = 300
EVENTS = 200
RETRY_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """What is known at a moment; never changed, only replaced.

    Attributes
    ----------
    connected
        Whether the stream delivers.
    reason
        Why not, for people.
    topology
        None before the first answer of a server.
    snapshots
        Recent ones of the present run, oldest first.
    events
        Newest first.
    """

    connected: bool = False
    reason: str = "connecting"
    topology: topology_pb2.Topology | None = None
    snapshots: tuple[snapshot_pb2.Snapshot, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def latest(self) -> snapshot_pb2.Snapshot | None:
        """The latest snapshot, if there is one."""
        return self.snapshots[-1] if self.snapshots else None


class Provider(Protocol):
    """What the page needs; tests have a small one of their own."""

    @property
    def state(self) -> State:
        """What is known now."""
        ...

    def inject(
        self,
        target: str,
        kind: fault_pb2.FaultKind.ValueType,
        duration_s: float,
        intensity: float | None,
        ramp_s: float | None,
    ) -> fault_pb2.Fault:
        """Inject a fault; raises `SreEdgeError`."""
        ...

    def stop(self, fault_id: str | None) -> int:
        """End one fault, or all with None; returns how many ended; raises `SreEdgeError`."""
        ...

    def reset(self) -> None:
        """Begin a new run; raises `SreEdgeError`."""
        ...

    def features(self, service: str) -> prediction_pb2.Prediction:
        """Predict with the inputs of the model; raises `SreEdgeError`."""
        ...


class LiveProvider:
    """Follows a server from a thread of its own; `start` it after the process has forked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._state = State()
        self._snapshots: deque[snapshot_pb2.Snapshot] = deque(maxlen=HISTORY)
        self._events: deque[Event] = deque(maxlen=EVENTS)
        self._stopping = threading.Event()
        self._client: Client | None = None
        self._thread = threading.Thread(target=self._follow, name="metrics stream", daemon=True)

    @property
    def state(self) -> State:
        """What is known now."""
        return self._state

    def start(self) -> None:
        """Open the channel and follow the stream.

        Raises
        ------
        SreEdgeError
            If a file of the connection cannot be used.
        """
        self._client = Client(self._connection)
        self._thread.start()

    def close(self) -> None:
        """End the stream and close the channel."""
        self._stopping.set()
        if self._client is not None:
            self._client.close()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def inject(
        self,
        target: str,
        kind: fault_pb2.FaultKind.ValueType,
        duration_s: float,
        intensity: float | None,
        ramp_s: float | None,
    ) -> fault_pb2.Fault:
        """Inject a fault; raises `SreEdgeError`."""
        return self._connected().inject(
            target, kind, duration_s=duration_s, intensity=intensity, ramp_s=ramp_s
        )

    def stop(self, fault_id: str | None) -> int:
        """End one fault, or all with None; returns how many ended; raises `SreEdgeError`."""
        client = self._connected()
        return len(client.stop_all() if fault_id is None else client.stop(fault_id))

    def reset(self) -> None:
        """Begin a new run; raises `SreEdgeError`."""
        self._connected().reset()

    def features(self, service: str) -> prediction_pb2.Prediction:
        """Predict with the inputs of the model; raises `SreEdgeError`."""
        answer = self._connected().predict([service], include_features=True)
        return answer.predictions[0]

    def _connected(self) -> Client:
        if self._client is None:
            raise SreEdgeError("the dashboard has not started yet")
        return self._client

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow_stream()
            except Exception as error:  # the thread must outlive whatever a server sends
                if self._stopping.is_set():
                    return
                reason = str(error)
                if not isinstance(error, SreEdgeError):
                    _log.exception("the metrics stream failed")
                    reason = "something went wrong in the dashboard; its log has details"
                self._publish(connected=False, reason=reason)
            self._stopping.wait(RETRY_S)

    def _follow_stream(self) -> None:
        client = self._connected()
        cursor = self._snapshots[-1].cursor if self._snapshots else None
        for event in client.watch(resume_after=cursor):
            if self._stopping.is_set():
                return
            if isinstance(event, Disconnected):
                self._publish(connected=False, reason=event.reason)
            elif isinstance(event, snapshot_pb2.Snapshot):
                self._take(client, event)
            elif isinstance(event, Connected):
                continue  # the snapshot that follows says more

    def _take(self, client: Client, taken: snapshot_pb2.Snapshot) -> None:
        before = self._snapshots[-1] if self._snapshots else None
        if before is None or before.cursor.run_id != taken.cursor.run_id:
            topology = client.topology()
            self._snapshots.clear()
        else:
            topology = self._state.topology or client.topology()
        self._snapshots.append(taken)
        for happened in between(before, taken):
            self._events.appendleft(happened)
        self._publish(connected=True, reason="", topology=topology)

    def _publish(
        self, *, connected: bool, reason: str, topology: topology_pb2.Topology | None = None
    ) -> None:
        self._state = State(
            connected=connected,
            reason=reason,
            topology=topology or self._state.topology,
            snapshots=tuple(self._snapshots),
            events=tuple(self._events),
        )
