"""Faults, between the domain and the wire: pure functions."""

from __future__ import annotations

from server.errors import ServerError, Violation, invalid
from server.records.experiments import FaultEnd, InjectedFault
from server.rpc import times
from server.rpc.enums import EnumMap
from sre_edge.v1 import chaos_service_pb2, fault_pb2
from telemetry.faults import Fault, FaultKind

KINDS = EnumMap(FaultKind, fault_pb2.FaultKind, "FAULT_KIND")
_ENDS = EnumMap(FaultEnd, fault_pb2.FaultEnd, "FAULT_END")


def fault(stated: InjectedFault) -> fault_pb2.Fault:
    """Convert a fault."""
    return fault_pb2.Fault(
        id=stated.id,
        experiment_id=stated.experiment_id,
        target=stated.target,
        kind=KINDS.value[stated.kind],
        intensity=stated.intensity,
        ramp=times.duration(stated.ramp_s),
        duration=times.duration(stated.duration_s),
        share=stated.share,
        start_time=times.timestamp(stated.start),
        end_time=times.timestamp(stated.end),
        ended_by=_ENDS.optional(stated.ended_by),
    )


def requested(request: chaos_service_pb2.InjectChaosRequest) -> Fault:
    """Convert a request for a fault, which starts now.

    Raises
    ------
    ServerError
        INVALID_FIELD, for a kind that does not exist or a duration that is not there.
    """
    wrong: list[Violation] = []
    try:
        kind = KINDS.member(request.kind, "kind")
    except ServerError as error:
        wrong.extend(error.violations)
    if not request.HasField("duration"):
        wrong.append(Violation("duration", "expected a duration, got none"))
    if wrong:
        raise invalid(wrong)
    return Fault(
        target=request.target,
        kind=kind,
        start_s=0.0,
        duration_s=times.seconds(request.duration),
        intensity=request.intensity if request.HasField("intensity") else 1.0,
        ramp_s=times.seconds(request.ramp) if request.HasField("ramp") else 0.0,
        share=request.share if request.HasField("share") else 1.0,
    )
