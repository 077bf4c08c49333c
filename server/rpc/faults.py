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


def fault(record: InjectedFault) -> fault_pb2.Fault:
    """Convert a fault."""
    return fault_pb2.Fault(
        id=record.id,
        experiment_id=record.experiment_id,
        target=record.target,
        kind=KINDS.value[record.kind],
        intensity=record.intensity,
        ramp=times.duration(record.ramp_s),
        duration=times.duration(record.duration_s),
        share=record.share,
        start_time=times.timestamp(record.start),
        end_time=times.timestamp(record.end),
        ended_by=_ENDS.optional(record.ended_by),
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
