"""Incidents and alarms, between the domain and the wire: pure functions."""

from __future__ import annotations

from ml.definitions.incident_types import IncidentType
from server.errors import Violation, invalid
from server.records.findings import (
    Alarm,
    AlarmOutcome,
    Incident,
    IncidentEnd,
    IncidentState,
    Peak,
    ServiceIncident,
)
from server.rpc import times
from server.rpc.convert import INCIDENT_TYPE_NAMES
from server.rpc.enums import EnumMap
from server.store.alarms import AlarmFilter
from server.store.incidents import IncidentFilter
from sre_edge.v1 import alarm_pb2, incident_pb2, incident_service_pb2, prediction_service_pb2

_STATES = EnumMap(IncidentState, incident_pb2.IncidentState, "INCIDENT_STATE")
_ENDS = EnumMap(IncidentEnd, incident_pb2.IncidentEnd, "INCIDENT_END")
_OUTCOMES = EnumMap(AlarmOutcome, alarm_pb2.AlarmOutcome, "ALARM_OUTCOME")


def incident(found: Incident) -> incident_pb2.Incident:
    """Convert an incident."""
    message = incident_pb2.Incident(
        id=found.id,
        run_id=found.run_id,
        state=_STATES.value[found.state],
        ended_by=_ENDS.optional(found.closed_by),
        merged_into=found.merged_into,
        onset_time=times.timestamp(found.onset),
        probable_origin=found.origin,
        foretold=found.lead_s is not None,
        services=[_service(one) for one in found.services],
    )
    if found.end is not None:
        message.end_time.CopyFrom(times.timestamp(found.end))
    if found.lead_s is not None:
        message.lead.CopyFrom(times.duration(found.lead_s))
    return message


def alarm(found: Alarm) -> alarm_pb2.Alarm:
    """Convert an alarm."""
    message = alarm_pb2.Alarm(
        id=found.id,
        run_id=found.run_id,
        service=found.service,
        raise_time=times.timestamp(found.raised),
        probability=found.probability,
        highest_probability=found.highest_probability,
        model_version=found.model_version,
        outcome=_OUTCOMES.value[found.outcome],
    )
    if found.incident_type:
        message.incident_type = INCIDENT_TYPE_NAMES.value[IncidentType(found.incident_type)]
    if found.ended is not None:
        message.end_time.CopyFrom(times.timestamp(found.ended))
    if found.lead_s is not None:
        message.lead.CopyFrom(times.duration(found.lead_s))
    return message


def wanted_incidents(request: incident_service_pb2.ListIncidentsRequest) -> IncidentFilter:
    """Convert a filter.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    found = IncidentFilter(
        service=request.service,
        state=_STATES.wanted(request.state, "state"),
        since=times.optional(request, "start_time"),
        until=times.optional(request, "end_time"),
    )
    _check_order(found)
    return found


def wanted_alarms(request: prediction_service_pb2.ListAlarmsRequest) -> AlarmFilter:
    """Convert a filter.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    found = AlarmFilter(
        service=request.service,
        outcome=_OUTCOMES.wanted(request.outcome, "outcome"),
        since=times.optional(request, "start_time"),
        until=times.optional(request, "end_time"),
    )
    _check_order(found)
    return found


def _check_order(found: IncidentFilter | AlarmFilter) -> None:
    if found.since is not None and found.until is not None and found.until <= found.since:
        raise invalid([Violation("end_time", "expected a time after start_time")])


def _service(found: ServiceIncident) -> incident_pb2.ServiceIncident:
    message = incident_pb2.ServiceIncident(
        service=found.service,
        onset_time=times.timestamp(found.onset),
        last_breach_time=times.timestamp(found.last_breach),
        error_rate_percent=_peak(found.error_rate),
        latency_p95_ms=_peak(found.latency_p95),
        alarm_id=found.alarm_id,
    )
    if found.end is not None:
        message.end_time.CopyFrom(times.timestamp(found.end))
    if found.lead_s is not None:
        message.lead.CopyFrom(times.duration(found.lead_s))
    return message


def _peak(found: Peak | None) -> incident_pb2.Peak | None:
    if found is None:
        return None
    return incident_pb2.Peak(value=found.value, time=times.timestamp(found.time))
