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
from sre_edge.freshness import RENEW_S, Freshness, Stale
from sre_edge.v1 import clock_pb2, snapshot_pb2

FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.2, 2.0


CHECK_S = 1.0
"""How long to wait for a message before looking whether what came is still true, seconds."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream delivers (again), and what it delivers is up to date."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream was lost and will be opened again.

    Attributes
    ----------
    reason
        Why it was lost, a text for people.
    """

    reason: str


UNKNOWN = Disconnected("")
"""Before the first message."""

Event = (
    Connected | Disconnected | Stale | snapshot_pb2.Snapshot | snapshot_pb2.Gap | clock_pb2.Clock
)
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
        self._freshness = Freshness(target)
        self._told: Connected | Disconnected | Stale = UNKNOWN
        self._backoff_s = FIRST_BACKOFF_S

    def request(self) -> Any:
        """Ask for what follows the last item."""
        self._freshness.opened()
        return addressed(self._stream.request(self._cursor), self._system)

    def received(self, message: Any) -> Iterator[Connected | Item]:
        """Take a message; yield what to pass on."""
        self._backoff_s = FIRST_BACKOFF_S
        self._freshness.heard(message)
        if not isinstance(self._told, Connected):
            if self._freshness.stale() is None:
                self._told = Connected()
                yield self._told
            elif isinstance(self._told, Stale) and self._told.silent:
                self._told = UNKNOWN  # the server is there again: what is with the data?
        self._cursor = self._stream.cursor(message) or self._cursor
        item = self._stream.item(message)
        if item is not None:
            yield item

    def overdue(self) -> Iterator[Stale]:
        """Take it that no message came for a while; yield what to pass on, if that is news."""
        before, now = self._told, self._freshness.stale()
        if now is None:
            return
        self._told = now
        if not (isinstance(before, Stale) and now.repeats(before)):
            yield now

    @property
    def silent(self) -> bool:
        """Whether the open stream has been silent for so long that another one may help."""
        return self._freshness.silent_s > RENEW_S

    def lost(self, error: grpc.RpcError | None) -> tuple[Disconnected | None, float]:
        """Take the end of the stream; return what to pass on, and how long to wait in seconds.

        Without an error the server has ended it, or it was silent and is opened anew.

        Raises
        ------
        SreEdgeError
            If trying again is useless, or not wanted.
        """
        renewed = error is None and self.silent
        reason = str(self._told) if renewed else f"{self._target} ended the stream"
        if error is not None:
            translated = from_rpc(error, self._target)
            if isinstance(translated, InvalidRequest) and self._cursor is not None:
                self._cursor = None  # of a server that has begun anew and counts from 1 again
            elif not self._stream.reconnect or _is_final(translated):
                raise translated from error
            reason = str(translated)
        elif not self._stream.reconnect:
            raise Unavailable(reason)
        notice = None
        if not renewed and not isinstance(self._told, Disconnected):
            self._told = notice = Disconnected(reason)
        wait_s = self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 - only jitter
        self._backoff_s = min(2.0 * self._backoff_s, MAX_BACKOFF_S)
        return notice, wait_s


def _is_final(error: SreEdgeError) -> bool:
    """Whether the server would answer the same again; a slow reader may continue."""
    return isinstance(error, (Refused, TooOld)) and error.reason != "SLOW_SUBSCRIBER"
