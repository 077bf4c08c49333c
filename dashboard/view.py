"""What every leaf of the page shows for a state; pure, and the only place that decides it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard import figures, graph, ids
from dashboard.events import kind_name, level_name
from dashboard.numbers import MISSING, duration, milliseconds, number, probability
from dashboard.provider import State
from sre_edge.v1 import prediction_pb2, snapshot_pb2, topology_pb2

Leaf = tuple[Any, str, Any]
"""Component id, property, value."""

MAX_GRAPH_NODES = 500
MAX_CARDS = 200


def topology_key(topology: topology_pb2.Topology | None) -> str:
    """Tell one page's skeleton from another's: names and edges, nothing that changes."""
    if topology is None:
        return ""
    return hashlib.sha256(topology.SerializeToString(deterministic=True)).hexdigest()[:16]


def version(state: State, selected: str | None) -> str:
    """Tell one page's content from another's; "" while the age of what is shown grows."""
    latest = state.latest
    if not state.connected or latest is None:
        return ""
    return f"{latest.cursor.run_id}/{latest.cursor.sequence}/{selected or ''}"


def page(state: State, selected: str | None, now: datetime) -> list[Leaf]:
    """Every leaf of the page.

    Parameters
    ----------
    state
        What is known.
    selected
        Name of the selected service, if there is one.
    now
        Wall clock, for "last update ... ago".
    """
    topology, latest = state.topology, state.latest
    leaves: list[Leaf] = [
        (ids.TOPOLOGY_KEY, "data", topology_key(topology)),
        *_header(state, now),
        *_events(state),
        *_chaos(state),
    ]
    if topology is None:
        return leaves
    stale = not state.connected
    services = {service.name: service for service in topology.services}
    chosen = services.get(selected or "") or topology.services[0]
    nodes = graph.elements(topology, latest, chosen.name, stale=stale)
    if len(topology.services) <= MAX_GRAPH_NODES:
        leaves.append((ids.GRAPH, "elements", nodes))
    metrics = {service.service: service for service in latest.services} if latest else {}
    acting = latest.active_faults if latest else ()
    faults = {fault.target: kind_name(fault.kind) for fault in acting}
    for service in topology.services[:MAX_CARDS]:
        seen = metrics.get(service.name)
        leaves += _card(service.name, seen, faults.get(service.name, ""), stale=stale)
        is_chosen = "selected" if service.name == chosen.name else ""
        leaves.append((ids.card(service.name), "className", f"card {is_chosen}".strip()))
    leaves += _panel(state, topology, chosen, metrics.get(chosen.name))
    return leaves


def _header(state: State, now: datetime) -> list[Leaf]:
    latest = state.latest
    counts = {"healthy": 0, "degraded": 0, "down": 0}
    for service in latest.services if latest else ():
        name = graph.status_class(service)
        counts[name] = counts.get(name, 0) + 1
    health = " · ".join(
        f"{graph.STATUS_MARK[name]} {count} {name}" for name, count in counts.items() if count
    )
    known = latest is not None and latest.HasField("system") and state.connected
    level = level_name(latest.system.risk_level) if latest and known else ""
    risk = probability(latest.system.incident_probability) if latest and known else MISSING
    banner = ""
    if not state.connected:
        since = ""
        if latest is not None:
            produced = latest.produced_time.ToDatetime(tzinfo=UTC)
            age = duration((now - produced).total_seconds())
            since = f" Last update {age} ago."
        banner = f"No connection to the server: {state.reason}.{since} Trying again by itself."
    return [
        (ids.BANNER, "children", banner),
        (ids.BANNER, "className", "banner" if banner else "banner hidden"),
        (ids.CONNECTION, "children", "live" if state.connected else "disconnected"),
        (ids.CONNECTION, "className", "pill live" if state.connected else "pill lost"),
        (ids.SIMULATED_TIME, "children", _clock(latest)),
        (ids.HEALTH, "children", (health or MISSING) if state.connected else MISSING),
        (ids.SYSTEM_RISK, "children", f"{risk} {level}".strip()),
        (ids.SYSTEM_RISK, "className", f"risk {level}".strip()),
        *((control, "disabled", not state.connected) for control in (ids.RESET, ids.INJECT)),
    ]


def _card(
    name: str, seen: snapshot_pb2.ServiceMetrics | None, fault: str, *, stale: bool
) -> list[Leaf]:
    status = "unknown" if stale else graph.status_class(seen)
    values = {
        "cpu": number(_optional(seen, "cpu_percent"), "%"),
        "memory": number(_optional(seen, "memory_percent"), "%"),
        "latency": milliseconds(_optional(seen, "latency_ms")),
        "errors": number(_optional(seen, "error_rate_percent"), "%"),
        "throughput": number(_optional(seen, "throughput_rps"), "req/s"),
        "availability": number(_optional(seen, "availability_percent"), "%"),
    }
    known = seen is not None and seen.HasField("prediction") and not stale
    level = level_name(seen.prediction.risk_level) if seen and known else ""
    risk = probability(seen.prediction.incident_probability) if seen and known else MISSING
    return [
        *((ids.card_part(name, metric), "children", text) for metric, text in values.items()),
        (ids.card_part(name, "status"), "children", f"{graph.STATUS_MARK[status]} {status}"),
        (ids.card_part(name, "status"), "className", f"status {status}"),
        (ids.card_part(name, "risk"), "children", f"risk {risk} {level}".strip()),
        (ids.card_part(name, "risk"), "className", f"risk {level}".strip()),
        (ids.card_part(name, "fault"), "children", f"⚡ {fault}" if fault else ""),
        (ids.card_part(name, "values"), "className", "values stale" if stale else "values"),
    ]


def _panel(
    state: State,
    topology: topology_pb2.Topology,
    chosen: topology_pb2.Service,
    seen: snapshot_pb2.ServiceMetrics | None,
) -> list[Leaf]:
    status = graph.status_class(seen) if state.connected else "unknown"
    kind = topology_pb2.ServiceKind.Name(chosen.kind).removeprefix("SERVICE_KIND_").lower()
    found = seen.prediction if seen and seen.HasField("prediction") else None
    level = level_name(found.risk_level) if found else ""
    risk = "No prediction yet"
    if found:
        horizon = duration(found.horizon.ToTimedelta().total_seconds())
        risk = f"{probability(found.incident_probability)} risk of an incident within {horizon}"
        if found.incident_probability >= 1.0:
            risk = "An incident goes on"
    type_text = ""
    if found and found.incident_type != prediction_pb2.INCIDENT_TYPE_UNSPECIFIED:
        type_name = prediction_pb2.IncidentType.Name(found.incident_type)
        words = type_name.removeprefix("INCIDENT_TYPE_").lower().replace("_", " ")
        type_text = f"Most likely: {words} (confidence {probability(found.confidence)})"
    advice = [advised.action for advised in found.recommendations] if found else []
    callers = [
        service.name
        for service in topology.services
        if any(call.service == chosen.name for call in service.dependencies)
    ]
    needs = ", ".join(call.service for call in chosen.dependencies) or "nothing"
    return [
        (ids.PANEL_TITLE, "children", chosen.name),
        (ids.PANEL_STATUS, "children", f"{graph.STATUS_MARK[status]} {status} · {kind}"),
        (ids.PANEL_STATUS, "className", f"status {status}"),
        (ids.PANEL_RISK, "children", risk),
        (ids.PANEL_RISK, "className", f"risk {level}".strip()),
        (ids.PANEL_TYPE, "children", type_text),
        (ids.PANEL_ADVICE, "children", " ".join(f"{i + 1}. {t}" for i, t in enumerate(advice))),
        (ids.PANEL_NEEDS, "children", f"Needs {needs}. Needed by {', '.join(callers) or 'users'}."),
        (ids.CHARTS, "figure", figures.charts(state.snapshots, chosen)),
    ]


def _chaos(state: State) -> list[Leaf]:
    latest = state.latest
    faults = list(latest.active_faults) if latest and state.connected else []
    leaves: list[Leaf] = [
        (ids.NO_FAULTS, "className", "empty" if not faults else "empty hidden"),
        (ids.STOP_ALL, "disabled", not faults),
    ]
    for slot in range(ids.FAULT_SLOTS):
        fault = faults[slot] if slot < len(faults) else None
        text = ""
        if fault and latest:
            end = latest.time.ToDatetime() + timedelta(seconds=latest.interval_seconds)
            left = (fault.end_time.ToDatetime() - end).total_seconds()
            text = f"⚡ {kind_name(fault.kind)} on {fault.target}, {duration(left)} left"
            if slot == ids.FAULT_SLOTS - 1 and len(faults) > ids.FAULT_SLOTS:
                text += f" (and {len(faults) - ids.FAULT_SLOTS} more)"
        leaves += [
            (ids.fault_row(slot), "className", "fault" if fault else "fault hidden"),
            (ids.fault_text(slot), "children", text),
        ]
    return leaves


def _events(state: State) -> list[Leaf]:
    leaves: list[Leaf] = [
        (ids.EVENTS_EMPTY, "className", "empty hidden" if state.events else "empty"),
    ]
    for slot in range(ids.EVENT_SLOTS):
        event = state.events[slot] if slot < len(state.events) else None
        leaves += [
            (
                ids.event_row(slot, "row"),
                "className",
                f"event event-{event.kind}" if event else "event hidden",
            ),
            (ids.event_row(slot, "time"), "dateTime", event.time.isoformat() if event else ""),
            (ids.event_row(slot, "text"), "children", event.text if event else ""),
        ]
    return leaves


def _clock(latest: snapshot_pb2.Snapshot | None) -> str:
    return latest.time.ToDatetime(tzinfo=UTC).isoformat() if latest else ""


def _optional(seen: snapshot_pb2.ServiceMetrics | None, name: str) -> float | None:
    if seen is None or not seen.HasField(name):  # type: ignore[arg-type]
        return None
    return float(getattr(seen, name))
