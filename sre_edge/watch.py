"""Progress of a stream that survives lost connections and restarted servers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic

import grpc

from sre_edge.calls.stream import Item, Stream
from sre_edge.errors import (
    InvalidRequest,
    Refused,
    SreEdgeError,
    TooOld,
    Unavailable,
    from_rpc,
)
from sre_edge.exchange import addressed
from sre_edge.v1 import clock_pb2, snapshot_pb2

FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream delivers (again)."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream was lost and will be opened again.

    Attributes
    ----------
    reason
        Why it was lost, a text for people.
    """

    reason: str


Event = Connected | Disconnected | snapshot_pb2.Snapshot | snapshot_pb2.Gap | clock_pb2.Clock
"""What a watch yields."""


class Progress(Generic[Item]):
    """Position of a stream: what to request next, and what to do when it is lost.

    Parameters
    ----------
    stream
        Description of the stream.
    target
        Address of the server, for error messages.
    system
        Id of the system; "": the default one, or the only one.
    """

    def __init__(self, stream: Stream[Item], target: str, system: str = "") -> None:
        self._stream = stream
        self._target, self._system = target, system
        self._cursor = stream.begin_after
        self._connected = False
        self._backoff_s = FIRST_BACKOFF_S

    def request(self) -> Any:
        """Ask for what follows the last item."""
        return addressed(self._stream.request(self._cursor), self._system)

    def received(self, message: Any) -> Iterator[Connected | Item]:
        """Take a message; yield what to pass on."""
        if not self._connected:
            self._connected, self._backoff_s = True, FIRST_BACKOFF_S
            yield Connected()
        self._cursor = self._stream.cursor(message) or self._cursor
        item = self._stream.item(message)
        if item is not None:
            yield item

    def lost(self, error: grpc.RpcError | None) -> tuple[Disconnected | None, float]:
        """Take the end of the stream; return what to pass on, and how long to wait in seconds.

        Raises
        ------
        SreEdgeError
            If trying again is useless, or not wanted.
        """
        reason = f"{self._target} ended the stream"
        if error is not None:
            translated = from_rpc(error, self._target)
            if isinstance(translated, InvalidRequest) and self._cursor is not None:
                self._cursor = None  # of a server that has begun anew and counts from 1 again
            elif not self._stream.reconnect or _is_final(translated):
                raise translated from error
            reason = str(translated)
        elif not self._stream.reconnect:
            raise Unavailable(reason)
        notice = Disconnected(reason) if self._connected else None
        self._connected = False
        wait_s = self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 - only jitter
        self._backoff_s = min(2.0 * self._backoff_s, MAX_BACKOFF_S)
        return notice, wait_s


def _is_final(error: SreEdgeError) -> bool:
    """Whether the server would answer the same again; a slow reader may continue."""
    return isinstance(error, (Refused, TooOld)) and error.reason != "SLOW_SUBSCRIBER"
