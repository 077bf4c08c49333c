"""Streams: what is requested, and where each resumes after it was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sre_edge.calls.descriptors import Subscribe
from sre_edge.exchange import Stubs
from sre_edge.v1 import (
    clock_pb2,
    event_pb2,
    incident_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Stream(Generic[Item]):
    """A stream that can be opened again.

    Attributes
    ----------
    method
        Selects the method of the stubs to call.
    request
        Makes the request that resumes after a cursor or, with None, begins.
    item
        Item that a message holds; None if it holds none, or none that this client knows.
    cursor
        Cursor that a message holds; None if it holds none.
    begin_after
        Cursor of the last item that is known already.
    reconnect
        Whether a lost stream is opened again; otherwise losing it is an error.
    """

    method: Callable[[Stubs], Any]
    request: Callable[[Any], Any]
    item: Callable[[Any], Item | None]
    cursor: Callable[[Any], Any]
    begin_after: Any
    reconnect: bool


def watch(
    services: Iterable[str] = (),
    *,
    resume_after: snapshot_pb2.Cursor | None = None,
    without_edges: bool = False,
    without_predictions: bool = False,
    with_past: bool = False,
    reconnect: bool = True,
) -> Stream[snapshot_pb2.Snapshot | snapshot_pb2.Gap | clock_pb2.Clock]:
    """Watch snapshots; resumes after a lost connection where it stopped.

    Parameters
    ----------
    services
        Names of the services; empty: all.
    resume_after
        Last snapshot that is known already.
    without_edges, without_predictions
        Whether to leave these out.
    with_past
        Begin with all that the server still holds of the run. The frames that taught the model
        what is normal have the sequence number 0.
    reconnect
        False: raise `Unavailable` instead of trying again.

    Yields
    ------
    `Connected`, `Disconnected`, `Stale`, a `Snapshot`, a `Clock`, or a `Gap`: what was lost.

    Raises
    ------
    Refused
        If the server refuses the stream, and would do so again.
    """
    names = tuple(services)

    def request(cursor: snapshot_pb2.Cursor | None) -> simulation_service_pb2.StreamMetricsRequest:
        return simulation_service_pb2.StreamMetricsRequest(
            services=names,
            resume_after=cursor,
            without_edges=without_edges,
            without_predictions=without_predictions,
            with_past=with_past,
        )

    return Stream(
        lambda stubs: stubs.simulation.StreamMetrics,
        request, _item, _cursor, resume_after, reconnect,
    )  # fmt: skip


def events(
    services: Iterable[str] = (),
    *,
    kinds: Iterable[event_pb2.EventKind.ValueType] = (),
    resume_after: event_pb2.EventCursor | None = None,
    reconnect: bool = True,
) -> Stream[event_pb2.Event | snapshot_pb2.Gap]:
    """Follow events; resumes after a lost connection and a restart of the server.

    Parameters
    ----------
    services
        Names of the services; empty: all.
    kinds
        Kinds of events; empty: all.
    resume_after
        Last event that is known already. None: begin with the next event.
    reconnect
        False: raise `Unavailable` instead of trying again.

    Yields
    ------
    `Connected`, `Disconnected`, `Stale`, an `Event`, or a `Gap`: what was lost.

    Raises
    ------
    Refused
        If the server refuses the stream, and would do so again.
    """
    names, wanted = tuple(services), tuple(kinds)

    def request(cursor: event_pb2.EventCursor | None) -> incident_service_pb2.StreamEventsRequest:
        return incident_service_pb2.StreamEventsRequest(
            services=names, kinds=wanted, resume_after=cursor
        )

    return Stream(
        lambda stubs: stubs.incident.StreamEvents,
        request, _item, _cursor, resume_after, reconnect,
    )  # fmt: skip


class StreamMethods:
    """The methods of both clients, each by its description above."""

    watch = Subscribe(watch)
    events = Subscribe(events)


def _item(message: Any) -> Any:
    which = message.WhichOneof("message")
    return getattr(message, which) if which not in (None, "position", "heartbeat") else None


def _cursor(message: Any) -> Any:
    if message.WhichOneof("message") == "position":
        return message.position
    return getattr(_item(message), "cursor", None)
