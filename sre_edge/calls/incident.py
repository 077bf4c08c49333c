"""Incidents and error budgets."""

from __future__ import annotations

from collections.abc import Iterable

from sre_edge.calls.descriptors import Call
from sre_edge.exchange import Exchange, ask
from sre_edge.v1 import incident_pb2, incident_service_pb2

MAX_PAGE = 500


def incidents(
    service: str = "", *, is_open: bool = False, count: int = 50
) -> Exchange[list[incident_pb2.Incident]]:
    """List the newest incidents, at most `count`: all, those of one service, or open ones."""
    request = incident_service_pb2.ListIncidentsRequest(service=service, page_size=count)
    if is_open:
        request.state = incident_pb2.INCIDENT_STATE_OPEN
    return list((yield from ask(lambda stubs: stubs.incident.ListIncidents, request)).incidents)


def slos(
    services: Iterable[str] = (), *, firing: bool = False
) -> Exchange[incident_service_pb2.ListSlosResponse]:
    """Get the error budgets of all services or some, or of those that alert."""
    request = incident_service_pb2.ListSlosRequest(
        services=services, firing=firing, page_size=MAX_PAGE
    )
    whole = yield from ask(lambda stubs: stubs.incident.ListSlos, request)
    while whole.next_page_token:
        request.page_token = whole.next_page_token
        page = yield from ask(lambda stubs: stubs.incident.ListSlos, request)
        whole.services.extend(page.services)
        whole.next_page_token = page.next_page_token
    return whole


class IncidentMethods:
    """The methods of both clients, each by its description above."""

    incidents = Call(incidents)
    slos = Call(slos)
