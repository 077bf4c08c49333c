"""Sentences for events of statuses, alarms, budgets, incidents and the topology."""

from __future__ import annotations

from server.records.events import StatusChange, TopologyChange
from server.records.findings import (
    Alarm,
    AlarmOutcome,
    Incident,
    IncidentEnd,
    Severity,
    SloAlert,
    Status,
)

MAX_NAMES = 5


def names(services: tuple[str, ...]) -> str:
    """List services, the first few by name."""
    if len(services) > MAX_NAMES:
        return f"{', '.join(services[:MAX_NAMES])} and {len(services) - MAX_NAMES} more"
    return ", ".join(services[:-1]) + (" and " if len(services) > 1 else "") + services[-1]


def of_topology(change: TopologyChange) -> str:
    """Say which services were added and removed."""
    sentences = [
        f"{names(services)} {'was' if len(services) == 1 else 'were'} {verb}"
        for services, verb in ((change.added, "added"), (change.removed, "removed"))
        if services
    ]
    return "; ".join(sentences) or "calls between services have changed"


def of_status(service: str, change: StatusChange) -> str:
    """Say that the status of a service has changed."""
    before, after = (
        "not observed" if status is Status.UNKNOWN else status.name.lower()
        for status in (change.before, change.after)
    )
    return f"{service} is {after}, after it was {before}"


def of_alarm(alarm: Alarm) -> str:
    """Say that an alarm was raised, or how it turned out."""
    if alarm.outcome is AlarmOutcome.PENDING:
        kind = f", probably {alarm.incident_type.replace('_', ' ')}" if alarm.incident_type else ""
        return f"an incident of {alarm.service} is expected ({alarm.probability:.0%}{kind})"
    return f"the alarm of {alarm.service} " + {
        AlarmOutcome.FORETOLD: f"foretold an incident {alarm.lead_s or 0.0:.0f} s ahead",
        AlarmOutcome.FALSE: "was false",
        AlarmOutcome.LATE: "was raised after the incident had begun",
        AlarmOutcome.RUN_ENDED: "ended with the run",
        AlarmOutcome.SERVICE_REMOVED: "ended with the service, which was removed",
    }.get(alarm.outcome, "")


def of_alert(alert: SloAlert) -> str:
    """Say that a budget burns too fast, or no longer does."""
    budget = f"the {alert.objective.value.replace('_', ' ')} budget of {alert.service}"
    if not alert.firing:
        return f"{budget} no longer burns too fast"
    now = "now" if alert.severity is Severity.PAGE else "soon"
    return f"{budget} burns {alert.burn_rate:.1f} times faster than allowed: look {now}"


def of_incident(incident: Incident, spreads: bool) -> str:
    """Say that an incident began, spread, or is over."""
    if incident.closed_by is IncidentEnd.MERGED:
        return f"{incident.id} turned out to be part of {incident.merged_into}"
    if incident.closed_by is IncidentEnd.RUN_ENDED:
        return f"{incident.id} was open when the run ended"
    if incident.closed_by is IncidentEnd.SERVICE_REMOVED:
        return f"{incident.id} ended when the last of its services was removed"
    if incident.end is not None:
        seconds = (incident.end - incident.onset).total_seconds()
        return f"{incident.id} is over after {seconds:.0f} s: {names(incident.names)}"
    foretold = f", foretold {incident.lead_s:.0f} s ahead" if incident.lead_s is not None else ""
    verb = "has spread to" if spreads else "began at"
    return (
        f"{incident.id} {verb} {names(incident.names)}, probably from {incident.origin}{foretold}"
    )
