"""Names of kinds, states and levels as people write them."""

from __future__ import annotations

from sre_edge.v1 import (
    alarm_pb2,
    event_pb2,
    fault_pb2,
    incident_pb2,
    model_pb2,
    prediction_pb2,
    slo_pb2,
    snapshot_pb2,
    topology_pb2,
    training_pb2,
)

STATUSES = {
    snapshot_pb2.STATUS_HEALTHY: "healthy",
    snapshot_pb2.STATUS_DEGRADED: "degraded",
    snapshot_pb2.STATUS_DOWN: "down",
    snapshot_pb2.STATUS_UNKNOWN: "unknown",
}
WORST_FIRST = ("down", "degraded", "unknown", "healthy")
MARKS = {"healthy": "●", "degraded": "▲", "down": "⬣", "unknown": "◆"}

# Groups of kinds of events: name in the address, label of the filter, members.
EVENT_GROUPS: dict[str, tuple[str, frozenset[event_pb2.EventKind.ValueType]]] = {
    "fault": (
        "Faults",
        frozenset(
            {
                event_pb2.EVENT_KIND_FAULT_STARTED,
                event_pb2.EVENT_KIND_FAULT_ENDED,
                event_pb2.EVENT_KIND_FAULT_STOPPED,
                event_pb2.EVENT_KIND_KILL_SWITCH_ENGAGED,
                event_pb2.EVENT_KIND_KILL_SWITCH_LIFTED,
            }
        ),
    ),
    "alarm": (
        "Alarms",
        frozenset({event_pb2.EVENT_KIND_ALARM_RAISED, event_pb2.EVENT_KIND_ALARM_ENDED}),
    ),
    "incident": (
        "Incidents",
        frozenset(
            {
                event_pb2.EVENT_KIND_INCIDENT_OPENED,
                event_pb2.EVENT_KIND_INCIDENT_SPREAD,
                event_pb2.EVENT_KIND_INCIDENT_CLOSED,
            }
        ),
    ),
    "status": ("Statuses", frozenset({event_pb2.EVENT_KIND_STATUS_CHANGED})),
    "slo": (
        "Budgets",
        frozenset({event_pb2.EVENT_KIND_SLO_ALERT_FIRED, event_pb2.EVENT_KIND_SLO_ALERT_CLEARED}),
    ),
    "change": (
        "Changes",
        frozenset({event_pb2.EVENT_KIND_RUN_STARTED, event_pb2.EVENT_KIND_MODEL_ACTIVATED}),
    ),
}


def event_group(kind: event_pb2.EventKind.ValueType) -> str:
    """Group of a kind of event; "change" for what is not known."""
    return next((name for name, (_, kinds) in EVENT_GROUPS.items() if kind in kinds), "change")


def _enum_label(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


def kind_name(kind: fault_pb2.FaultKind.ValueType) -> str:
    """Name a kind of fault, such as "service kill"."""
    return _enum_label(fault_pb2.FaultKind.Name(kind), "FAULT_KIND_")


def sentence(text: str) -> str:
    """Begin a text with a capital."""
    return (text[:1].upper() + text[1:]).replace("Cpu", "CPU")


def kind_key(kind: fault_pb2.FaultKind.ValueType) -> str:
    """Name a kind of fault as files do, such as "service_kill"."""
    return kind_name(kind).replace(" ", "_")


def level_name(level: prediction_pb2.RiskLevel.ValueType) -> str:
    """Name a risk level, such as "high"."""
    return _enum_label(prediction_pb2.RiskLevel.Name(level), "RISK_LEVEL_")


def type_name(kind: prediction_pb2.IncidentType.ValueType) -> str:
    """Name a type of incident, such as "CPU saturation"; "" if the model has no opinion."""
    if kind == prediction_pb2.INCIDENT_TYPE_UNSPECIFIED:
        return ""
    name = _enum_label(prediction_pb2.IncidentType.Name(kind), "INCIDENT_TYPE_")
    return name.replace("cpu", "CPU")


def service_kind(kind: topology_pb2.ServiceKind.ValueType) -> str:
    """Name what part a service plays, such as "database"."""
    return _enum_label(topology_pb2.ServiceKind.Name(kind), "SERVICE_KIND_")


def objective_name(objective: slo_pb2.Objective.ValueType) -> str:
    """Name an objective, such as "error rate"."""
    return _enum_label(slo_pb2.Objective.Name(objective), "OBJECTIVE_")


def severity_name(severity: slo_pb2.AlertSeverity.ValueType) -> str:
    """Name a severity: "ticket" or "page"."""
    return _enum_label(slo_pb2.AlertSeverity.Name(severity), "ALERT_SEVERITY_")


def incident_state(incident: incident_pb2.Incident) -> str:
    """Say whether an incident goes on, and else why it does not."""
    if incident.state == incident_pb2.INCIDENT_STATE_OPEN:
        return "open"
    return _enum_label(incident_pb2.IncidentEnd.Name(incident.ended_by), "INCIDENT_END_")


def alarm_outcome(outcome: alarm_pb2.AlarmOutcome.ValueType) -> str:
    """Name how an alarm turned out, such as "foretold"."""
    return _enum_label(alarm_pb2.AlarmOutcome.Name(outcome), "ALARM_OUTCOME_")


def training_state(state: training_pb2.TrainingState.ValueType) -> str:
    """Name what became of a training, such as "promoted"."""
    return _enum_label(training_pb2.TrainingState.Name(state), "TRAINING_STATE_")


def model_origin(origin: model_pb2.ModelOrigin.ValueType) -> str:
    """Name where a model comes from, such as "built in"."""
    return _enum_label(model_pb2.ModelOrigin.Name(origin), "MODEL_ORIGIN_")


def status_of(metrics: snapshot_pb2.ServiceMetrics | None) -> str:
    """Name the status of a service; "unknown" without one."""
    return STATUSES.get(metrics.status, "unknown") if metrics else "unknown"


TRAINING_SIZES = {
    "systems": ("Simulated systems", "To learn from, in addition to the experiments"),
    "episodes": ("Episodes per system", "15 simulated minutes each"),
    "held_out_systems": ("Systems to compare on", "The same number is used to calibrate"),
    "rounds": ("Maximum trees to add", "Added to the trees of the live model"),
}
"""Sizes of a training, by their names in the API: label and explanation."""
