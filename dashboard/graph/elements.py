"""Nodes and edges of the graph, with their current state."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from dashboard.address import Address
from dashboard.graph.grouping import Picture, in_trouble, picture
from dashboard.graph.positions import positions
from dashboard.text.names import WORST_FIRST, level_name, status_of
from dashboard.text.numbers import duration, number, probability
from sre_edge.observation import observed
from sre_edge.v1 import snapshot_pb2, topology_pb2

FAILING_PERCENT, SOME_PERCENT = 5.0, 0.5
MAX_LABELS = 60
"""Edges from which on only those that fail are labelled."""

Element = dict[str, Any]
_RISKS = ("critical", "high", "medium", "low", "")


def drawing(
    topology: topology_pb2.Topology,
    snapshot: snapshot_pb2.Snapshot | None,
    address: Address,
    *,
    stale: bool = False,
) -> dict[str, Any]:
    """Everything that the browser needs to draw the graph.

    Returns
    -------
    `nodes` and `edges`; `key`, which changes when other things are drawn and the picture has to be
    fitted again; `layout`; `note` for people, if something is left out.
    """
    metrics = {service.service: service for service in snapshot.services} if snapshot else {}
    chosen = picture(topology, metrics, address)
    shown_as = {name: name for name in chosen.services}
    for group, members in chosen.groups.items():
        shown_as.update(dict.fromkeys(members, _group_id(group)))
    calls = sorted(
        {
            (shown_as[service.name], shown_as[call.service])
            for service in topology.services
            if service.name in shown_as
            for call in service.dependencies
            if call.service in shown_as and shown_as[service.name] != shown_as[call.service]
        }
    )
    places = positions([*chosen.services, *map(_group_id, chosen.groups)], calls)
    targets = {fault.target for fault in snapshot.active_faults} if snapshot else set()
    nodes = [
        _service_node(name, metrics.get(name), places[name], targets, address.service, stale=stale)
        for name in chosen.services
    ] + [
        _group_node(group, members, metrics, places[_group_id(group)], targets, stale=stale)
        for group, members in chosen.groups.items()
    ]
    return {
        "nodes": nodes,
        "edges": _edges(topology, snapshot, shown_as, targets, quiet=len(calls) > MAX_LABELS),
        "key": f"{address.group}/{len(nodes)}/{address.layout}",
        "layout": address.layout,
        "note": _note(chosen, address, len(topology.services)),
    }


def _note(chosen: Picture, address: Address, count: int) -> str:
    if chosen.left_out:
        return (
            f"{chosen.left_out} services with lower risk are not shown. Narrow the graph with Find."
        )
    if chosen.groups:
        return (
            f"{count} services, in groups. Click a group to open it, or narrow the graph with Find."
        )
    if not chosen.services:
        return "No service is in trouble." if address.unhealthy else "No service matches this name."
    return ""


def _service_node(
    name: str,
    metrics: snapshot_pb2.ServiceMetrics | None,
    place: tuple[float, float],
    targets: set[str],
    selected: str,
    *,
    stale: bool,
) -> Element:
    status = "unknown" if stale else status_of(metrics)
    known = metrics is not None and metrics.HasField("prediction") and not stale
    level = level_name(metrics.prediction.risk_level) if metrics and known else ""
    risk = probability(metrics.prediction.incident_probability) if metrics and known else "–"
    classes = [status, f"risk-{level}" if level else ""]
    classes += ["faulty"] if name in targets else []
    classes += ["selected"] if name == selected else []
    return {
        "id": name,
        "label": f"{name}\n{status} · risk {risk}",
        "x": place[0],
        "y": place[1],
        "classes": " ".join(filter(None, classes)),
    }


def _group_node(
    group: str,
    members: tuple[str, ...],
    metrics: dict[str, snapshot_pb2.ServiceMetrics],
    place: tuple[float, float],
    targets: set[str],
    *,
    stale: bool,
) -> Element:
    statuses = Counter("unknown" if stale else status_of(metrics.get(name)) for name in members)
    status = next(name for name in WORST_FIRST if statuses[name])
    levels = {
        level_name(metrics[name].prediction.risk_level)
        for name in members
        if not stale and name in metrics and metrics[name].HasField("prediction")
    }
    level = next(name for name in _RISKS if name in levels or not name)
    trouble = sum(1 for name in members if in_trouble(metrics.get(name)))
    text = f"{trouble} in trouble" if trouble else status
    classes = [status, "group", f"risk-{level}" if level else ""]
    classes += ["faulty"] if targets.intersection(members) else []
    return {
        "id": _group_id(group),
        "group": group,
        "label": f"{group}\n{len(members)} services · {text}",
        "x": place[0],
        "y": place[1],
        "classes": " ".join(filter(None, classes)),
    }


def _edges(
    topology: topology_pb2.Topology,
    snapshot: snapshot_pb2.Snapshot | None,
    shown_as: dict[str, str],
    targets: set[str],
    *,
    quiet: bool,
) -> list[Element]:
    seen = {(edge.caller, edge.callee): edge for edge in snapshot.edges} if snapshot else {}
    bundles: dict[tuple[str, str], list[tuple[str, topology_pb2.Dependency]]] = defaultdict(list)
    for service in topology.services:
        for call in service.dependencies:
            a, b = shown_as.get(service.name), shown_as.get(call.service)
            if a is not None and b is not None and a != b:
                bundles[a, b].append((service.name, call))
    interval_s = snapshot.interval_seconds if snapshot else 0.0
    return [
        _edge(*ends, calls, seen, targets, interval_s, quiet=quiet)
        for ends, calls in bundles.items()
    ]


def _group_id(group: str) -> str:
    """No service has such a name: it would be no DNS label."""
    return f"group:{group}"


def _edge(
    caller: str,
    callee: str,
    calls: list[tuple[str, topology_pb2.Dependency]],
    seen: dict[tuple[str, str], snapshot_pb2.EdgeMetrics],
    targets: set[str],
    interval_s: float,
    *,
    quiet: bool,
) -> Element:
    found = [seen[name, call.service] for name, call in calls if (name, call.service) in seen]
    rates = [
        (edge, rate) for edge in found if (rate := observed(edge, "call_rate_rps")) is not None
    ]
    rate = sum(rate for _, rate in rates)
    errors = _error_rate(rates)
    severity = "fine"
    if errors is not None and errors >= SOME_PERCENT:
        severity = "failing" if errors >= FAILING_PERCENT else "some-errors"
    label = ""
    if severity == "failing":
        label = f"{number(errors, '%')} errors"
    elif found and not quiet:
        label = number(rate if rates else None, "/s")
    age_s = max((edge.age_seconds for edge in found if edge.age_seconds > interval_s), default=0.0)
    if label and age_s:
        label += f", {duration(age_s)} old"
    classes = [severity]
    classes += [] if any(call.required for _, call in calls) else ["optional"]
    if any(f"{name}->{call.service}" in targets for name, call in calls):
        classes.append("faulty")
    return {
        "id": f"{caller}->{callee}",
        "source": caller,
        "target": callee,
        "label": label,
        "width": width(rate),
        "classes": " ".join(classes),
    }


def _error_rate(rates: Sequence[tuple[snapshot_pb2.EdgeMetrics, float]]) -> float | None:
    """Error rate of calls together, percent, by the rate of each; None if it is not observed."""
    known = [
        (rate, errors)
        for edge, rate in rates
        if (errors := observed(edge, "error_rate_percent")) is not None
    ]
    total = sum(rate for rate, _ in known)
    return sum(rate * errors for rate, errors in known) / total if total else None


def width(rate: float) -> float:
    """Width of an edge in pixels for a call rate per second: a pixel more per factor of 4."""
    return round(min(1.5 + math.log2(1.0 + max(rate, 0.0)) / 2.0, 9.0) * 2.0) / 2.0
