"""`SystemService`: the systems that the server watches."""

from __future__ import annotations

from server.errors import Violation, invalid
from server.rpc import paging
from server.rpc.access import Context
from server.rpc.administration import Administration
from server.rpc.hosted_system import HostedSystem, Systems
from server.rpc.systems import system
from server.systems.fleet import Member
from sre_edge.v1 import system_pb2
from sre_edge.v1 import system_service_pb2 as pb


class SystemServicer:
    """Lists the systems, and adds and removes some."""

    def __init__(self, systems: Systems, administration: Administration) -> None:
        self._systems, self._administration = systems, administration

    async def ListSystems(
        self, request: pb.ListSystemsRequest, context: Context
    ) -> pb.ListSystemsResponse:
        """List systems, in the order in which they were added."""
        members = list(self._systems)
        first, size = paging.position(request.page_token) or 0, paging.size(request.page_size)
        more = first + size < len(members)
        return pb.ListSystemsResponse(
            systems=[self._message(member) for member in members[first : first + size]],
            next_page_token=paging.token(first + size if more else None),
        )

    async def GetSystem(
        self, request: pb.GetSystemRequest, context: Context
    ) -> pb.GetSystemResponse:
        """Describe one system."""
        return pb.GetSystemResponse(system=self._message(self._systems.member(request.system)))

    async def AddSystem(
        self, request: pb.AddSystemRequest, context: Context
    ) -> pb.AddSystemResponse:
        """Add a system."""
        if not request.entry:
            raise invalid([Violation("entry", "expected an entry of a systems file")])
        member = await self._administration.add(request.entry)
        return pb.AddSystemResponse(system=self._message(member))

    async def RemoveSystem(
        self, request: pb.RemoveSystemRequest, context: Context
    ) -> pb.RemoveSystemResponse:
        """Remove a system."""
        _check_named(request.system)
        still_watched = await self._administration.remove(request.system)
        return pb.RemoveSystemResponse(still_watched=still_watched)

    async def DeleteRecords(
        self, request: pb.DeleteRecordsRequest, context: Context
    ) -> pb.DeleteRecordsResponse:
        """Delete the records of a system."""
        _check_named(request.system)
        deleted = await self._administration.delete_records(request.system)
        return pb.DeleteRecordsResponse(records=deleted)

    def _message(self, member: Member[HostedSystem]) -> system_pb2.System:
        return system(member, for_all=self._administration.kill_switch.on)


def _check_named(system_id: str) -> None:
    if not system_id:
        raise invalid([Violation("system", "expected the id of a system")])
