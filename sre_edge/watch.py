"""A stream of snapshots that survives lost connections."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from sre_edge.errors import InvalidRequest, Refused, SreEdgeError, from_rpc
from sre_edge.v1 import clock_pb2, simulation_service_pb2, snapshot_pb2

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
        For people.
    """

    reason: str


Event = Connected | Disconnected | snapshot_pb2.Snapshot | snapshot_pb2.Gap | clock_pb2.Clock


def watch(
    open_stream: Callable[..., Any],
    services: tuple[str, ...],
    target: str,
    *,
    resume_after: snapshot_pb2.Cursor | None = None,
    reconnect: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Open the stream, and open it again after the last snapshot whenever it is lost.

    Parameters
    ----------
    open_stream
        `StreamMetrics` of a stub.
    services
        Which; none means all.
    target
        For messages.
    resume_after
        Last snapshot that is known already.
    reconnect
        False: raise `Unavailable` instead.
    sleep
        Waits between attempts.

    Raises
    ------
    Refused
        The server said no, and would say it again.
    """
    cursor = resume_after
    backoff_s = FIRST_BACKOFF_S
    connected = False
    while True:
        request = simulation_service_pb2.StreamMetricsRequest(
            services=services, resume_after=cursor
        )
        call = open_stream(request, wait_for_ready=False)
        try:
            for answer in call:
                if not connected:
                    connected, backoff_s = True, FIRST_BACKOFF_S
                    yield Connected()
                if answer.HasField("snapshot"):
                    cursor = answer.snapshot.cursor
                    yield answer.snapshot
                elif answer.HasField("gap"):
                    yield answer.gap
                elif answer.HasField("clock"):
                    yield answer.clock
            reason = f"{target} ended the stream"
        except grpc.RpcError as error:
            translated = from_rpc(error, target)
            if isinstance(translated, InvalidRequest) and cursor is not None:
                cursor = None  # of a server that has begun anew and counts from 1 again
            elif not reconnect or _final(translated):
                raise translated from error
            reason = str(translated)
        finally:
            call.cancel()
        if connected:
            connected = False
            yield Disconnected(reason)
        sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - only jitter
        backoff_s = min(2.0 * backoff_s, MAX_BACKOFF_S)


def _final(error: SreEdgeError) -> bool:
    """Whether the server would say the same again; a slow reader may go on."""
    return isinstance(error, Refused) and error.reason != "SLOW_SUBSCRIBER"
