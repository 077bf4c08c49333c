"""Systems, as messages: pure functions."""

from __future__ import annotations

from server.rpc import convert, heartbeat, times
from server.rpc.enums import EnumMap
from server.rpc.hosted_system import HostedSystem
from server.systems.entry import SourceKind
from server.systems.fleet import Member
from sre_edge.v1 import system_pb2

_KINDS = EnumMap(SourceKind, system_pb2.SourceKind, "SOURCE_KIND")


def system(member: Member[HostedSystem], *, for_all: bool) -> system_pb2.System:
    """Describe a system and its state; `for_all`: the kill switch for all systems is on."""
    entry = member.entry
    message = system_pb2.System(
        id=entry.id,
        name=entry.name or entry.id,
        source=_KINDS.value[entry.kind],
        labels=entry.labels,
        default=entry.default,
        added=entry.added,
        kill_switch=for_all,
    )
    if member.hosted is not None:
        _add_state(message, member.hosted)
    elif member.problem:
        message.state, message.problem = system_pb2.SYSTEM_STATE_FAILED, member.problem
    else:
        message.state = system_pb2.SYSTEM_STATE_STARTING
    return message


def _add_state(message: system_pb2.System, hosted: HostedSystem) -> None:
    watched, ticker, latest = hosted.system, hosted.ticker, hosted.system.latest
    supported = watched.capabilities
    message.state, message.problem = heartbeat.state(ticker)
    message.frame_age.CopyFrom(times.duration(ticker.frame_age_s))
    message.interval.CopyFrom(times.duration(latest.frame.interval_s))
    message.services = latest.graph.services
    message.capabilities.CopyFrom(
        system_pb2.SystemCapabilities(
            faults=supported.faults,
            labels=supported.labels,
            clock=supported.clock,
            reset=supported.reset,
            seek=supported.seek,
        )
    )
    message.cursor.CopyFrom(convert.cursor(latest))
    message.clock.CopyFrom(convert.clock(watched.clock))
    message.kill_switch = watched.kill_switch.engaged
    message.model_version = watched.model_version
    message.warnings.extend(watched.warnings)
