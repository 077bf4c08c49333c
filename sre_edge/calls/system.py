"""The systems that a server watches."""

from __future__ import annotations

from sre_edge.calls.descriptors import Call
from sre_edge.errors import InvalidRequest
from sre_edge.exchange import Exchange, ask
from sre_edge.v1 import system_pb2, system_service_pb2


def systems() -> Exchange[list[system_pb2.System]]:
    """List all systems, with their states."""
    found: list[system_pb2.System] = []
    token = ""
    while True:
        request = system_service_pb2.ListSystemsRequest(page_size=500, page_token=token)
        answer = yield from ask(lambda stubs: stubs.system.ListSystems, request)
        found.extend(answer.systems)
        token = answer.next_page_token
        if not token:
            return found


def system(system_id: str = "") -> Exchange[system_pb2.System]:
    """Describe a system, by default the one that the client asks about.

    Raises
    ------
    NotFound
        If no system has this id.
    """
    request = system_service_pb2.GetSystemRequest(system=system_id)
    return (yield from ask(lambda stubs: stubs.system.GetSystem, request)).system


def add_system(entry: str) -> Exchange[system_pb2.System]:
    """Add the system of an entry of a systems file, YAML or JSON text; it starts at once.

    Raises
    ------
    InvalidRequest
        If the entry cannot be used; `violations` name the places in it.
    """
    request = system_service_pb2.AddSystemRequest(entry=entry)
    return (yield from ask(lambda stubs: stubs.system.AddSystem, request)).system


def remove_system(system_id: str) -> Exchange[bool]:
    """Remove a system that was added; its records stay.

    Returns
    -------
    Whether a system of this id is still watched: one of the systems file, in whose favour the added
    one had been left out.

    Raises
    ------
    NotFound
        If no system has this id.
    NotNow
        If it comes from the systems file.
    """
    request = system_service_pb2.RemoveSystemRequest(system=_stated(system_id))
    return (yield from ask(lambda stubs: stubs.system.RemoveSystem, request)).still_watched


def delete_records(system_id: str) -> Exchange[int]:
    """Delete all records of a system that has been removed; return how many.

    Raises
    ------
    NotNow
        If the system is watched.
    """
    request = system_service_pb2.DeleteRecordsRequest(system=_stated(system_id))
    return (yield from ask(lambda stubs: stubs.system.DeleteRecords, request)).records


def _stated(system_id: str) -> str:
    """Insist on an id: what is destroyed must not be a default."""
    if not system_id:
        raise InvalidRequest("system: expected the id of a system")
    return system_id


class SystemMethods:
    """The methods of both clients, each by its description above."""

    systems = Call(systems)
    system = Call(system)
    add_system = Call(add_system)
    remove_system = Call(remove_system)
    delete_records = Call(delete_records)
