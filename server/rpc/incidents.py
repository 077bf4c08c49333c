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


def incident(record: Incident, system: str) -> incident_pb2.Incident:
    """Convert an incident of a system."""
    message = incident_pb2.Incident(
        id=record.id,
        run_id=record.run_id,
        state=_STATES.value[record.state],
        ended_by=_ENDS.optional(record.closed_by),
        merged_into=record.merged_into,
        onset_time=times.timestamp(record.onset),
        probable_origin=record.origin,
        foretold=record.lead_s is not None,
        services=[_service(one) for one in record.services],
        system=system,
    )
    if record.end is not None:
        message.end_time.CopyFrom(times.timestamp(record.end))
    if record.lead_s is not None:
        message.lead.CopyFrom(times.duration(record.lead_s))
    return message


def alarm(record: Alarm, system: str) -> alarm_pb2.Alarm:
    """Convert an alarm of a system."""
    message = alarm_pb2.Alarm(
        id=record.id,
        run_id=record.run_id,
        service=record.service,
        raise_time=times.timestamp(record.raised),
        probability=record.probability,
        highest_probability=record.highest_probability,
        model_version=record.model_version,
        outcome=_OUTCOMES.value[record.outcome],
        system=system,
    )
    if record.incident_type:
        message.incident_type = INCIDENT_TYPE_NAMES.value[IncidentType(record.incident_type)]
    if record.ended is not None:
        message.end_time.CopyFrom(times.timestamp(record.ended))
    if record.lead_s is not None:
        message.lead.CopyFrom(times.duration(record.lead_s))
    return message


def incident_filter(request: incident_service_pb2.ListIncidentsRequest) -> IncidentFilter:
    """Convert a filter.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    criteria = IncidentFilter(
        service=request.service,
        state=_STATES.optional_member(request.state, "state"),
        since=times.optional(request, "start_time"),
        until=times.optional(request, "end_time"),
    )
    _check_order(criteria)
    return criteria


def alarm_filter(request: prediction_service_pb2.ListAlarmsRequest) -> AlarmFilter:
    """Convert a filter.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    criteria = AlarmFilter(
        service=request.service,
        outcome=_OUTCOMES.optional_member(request.outcome, "outcome"),
        since=times.optional(request, "start_time"),
        until=times.optional(request, "end_time"),
    )
    _check_order(criteria)
    return criteria


def _check_order(criteria: IncidentFilter | AlarmFilter) -> None:
    since, until = criteria.since, criteria.until
    if since is not None and until is not None and until <= since:
        raise invalid([Violation("end_time", "expected a time after start_time")])


def _service(record: ServiceIncident) -> incident_pb2.ServiceIncident:
    message = incident_pb2.ServiceIncident(
        service=record.service,
        onset_time=times.timestamp(record.onset),
        last_breach_time=times.timestamp(record.last_breach),
        error_rate_percent=_peak(record.error_rate),
        latency_p95_ms=_peak(record.latency_p95),
        alarm_id=record.alarm_id,
    )
    if record.end is not None:
        message.end_time.CopyFrom(times.timestamp(record.end))
    if record.lead_s is not None:
        message.lead.CopyFrom(times.duration(record.lead_s))
    return message


def _peak(record: Peak | None) -> incident_pb2.Peak | None:
    if record is None:
        return None
    return incident_pb2.Peak(value=record.value, time=times.timestamp(record.time))
