"""`IncidentService`: incidents, events and service level objectives."""

from __future__ import annotations

import asyncio

from server.errors import slow_subscriber
from server.pipeline.snapshot import indices
from server.records.findings import IncidentState
from server.rpc import events, incidents, paging, slos, times
from server.rpc.access import Context
from server.rpc.event_feed import EventFilter
from server.rpc.hosted_system import HostedSystem, Systems
from server.systems.system import System
from sre_edge.v1 import incident_service_pb2 as pb


class IncidentServicer:
    """Answers from systems and their stored records.

    Parameters
    ----------
    systems
        All systems.
    write_timeout_s
        How long a write to a subscriber may block, seconds.
    """

    def __init__(self, systems: Systems, write_timeout_s: float) -> None:
        self._systems, self._write_timeout_s = systems, write_timeout_s

    async def ListIncidents(
        self, request: pb.ListIncidentsRequest, context: Context
    ) -> pb.ListIncidentsResponse:
        """List incidents, the newest first."""
        hosted = self._systems.get(request.system)
        return await hosted.repository.run_blocking(_incidents, hosted, request)

    async def StreamEvents(self, request: pb.StreamEventsRequest, context: Context) -> None:
        """Stream events until the client cancels; the messages are already encoded."""
        hosted = self._systems.get(request.system)
        hosted.system.latest.indices(request.services)
        kinds = frozenset(events.KINDS.member(kind, "kinds") for kind in request.kinds)
        criteria = EventFilter(kinds, frozenset(request.services))
        after = request.resume_after
        reader = hosted.feed.subscribe(criteria, after.run_id, after.sequence)
        try:
            while True:
                message = await reader.next()
                try:
                    async with asyncio.timeout(self._write_timeout_s):
                        await context.write(message)
                except TimeoutError as error:
                    raise slow_subscriber(self._write_timeout_s) from error
        finally:
            hosted.feed.unsubscribe(reader)

    async def ListSlos(self, request: pb.ListSlosRequest, context: Context) -> pb.ListSlosResponse:
        """List objectives with their error budgets, in topology order."""
        hosted = self._systems.get(request.system)
        return await asyncio.to_thread(_slos, hosted.system, request)


def _incidents(hosted: HostedSystem, request: pb.ListIncidentsRequest) -> pb.ListIncidentsResponse:
    page = hosted.repository.incidents(
        incidents.incident_filter(request),
        paging.position(request.page_token),
        paging.size(request.page_size),
    )
    if not page.records and request.service:
        hosted.system.latest.indices([request.service])
    # The stored record of an open incident is only as new as its last change.
    open_ids = [found.id for found in page.records if found.state is IncidentState.OPEN]
    live = {found.id: found for found in hosted.system.open_incidents()} if open_ids else {}
    return pb.ListIncidentsResponse(
        incidents=[
            incidents.incident(live.get(found.id, found), hosted.id) for found in page.records
        ],
        next_page_token=paging.token(page.next_before),
    )


def _slos(system: System, request: pb.ListSlosRequest) -> pb.ListSlosResponse:
    found = system.findings
    budgets, graph = found.budgets, found.graph
    first = paging.position(request.page_token) or 0
    size = paging.size(request.page_size)
    chosen = indices(graph, request.services)
    places = [i for i in (range(graph.services) if chosen is None else chosen) if i >= first]
    if request.firing:
        places = [i for i in places if budgets.firing[:, :, i].any()]
    return pb.ListSlosResponse(
        services=[slos.service(budgets, graph, i) for i in places[:size]],
        policies=[slos.policy(policy) for policy in budgets.policies],
        budget_period=times.duration(budgets.period_s),
        min_request_rps=budgets.min_rps,
        run_id=found.run.id,
        time=times.timestamp(budgets.time),
        next_page_token=paging.token(places[size] if len(places) > size else None),
    )
