"""The topology as Cytoscape elements and style; pure functions of plain data."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from dashboard.numbers import number, probability
from sre_edge.v1 import snapshot_pb2, topology_pb2

COLUMN_WIDTH, ROW_HEIGHT = 230, 100
LEAST_HEIGHT, MOST_HEIGHT = 380, 680

STATUS_CLASS = {
    snapshot_pb2.STATUS_HEALTHY: "healthy",
    snapshot_pb2.STATUS_DEGRADED: "degraded",
    snapshot_pb2.STATUS_DOWN: "down",
}
STATUS_MARK = {"healthy": "●", "degraded": "▲", "down": "⬣", "unknown": "◆"}

Element = dict[str, Any]


def status_class(service: snapshot_pb2.ServiceMetrics | None) -> str:
    """Name the status of a service; "unknown" without one."""
    return STATUS_CLASS.get(service.status, "unknown") if service else "unknown"


def positions(topology: topology_pb2.Topology) -> dict[str, tuple[float, float]]:
    """Place callers left of callees, one column per level, centred."""
    level = {service.name: 0 for service in topology.services}
    calls = [(s.name, call.service) for s in topology.services for call in s.dependencies]
    for _ in range(min(len(level), 32)):  # a cycle ends here
        before = dict(level)
        for caller, callee in calls:
            level[callee] = max(level[callee], min(level[caller] + 1, len(level) - 1))
        if level == before:
            break
    columns: dict[int, list[str]] = defaultdict(list)
    for service in topology.services:
        columns[level[service.name]].append(service.name)
    placed = {}
    for column, (_, names) in enumerate(sorted(columns.items())):
        for row, name in enumerate(names):
            y = (row - (len(names) - 1) / 2.0) * ROW_HEIGHT
            placed[name] = (float(column * COLUMN_WIDTH), y)
    return placed


def height(topology: topology_pb2.Topology) -> int:
    """Pixels that the picture needs to be read without zooming, within bounds."""
    rows = Counter(x for x, _ in positions(topology).values())
    return min(max(LEAST_HEIGHT, max(rows.values()) * ROW_HEIGHT), MOST_HEIGHT)


def elements(
    topology: topology_pb2.Topology,
    taken: snapshot_pb2.Snapshot | None,
    selected: str | None,
    *,
    stale: bool = False,
) -> list[Element]:
    """Nodes and edges with what they show now; ids and positions never change."""
    metrics = {service.service: service for service in taken.services} if taken else {}
    calls = {(edge.caller, edge.callee): edge for edge in taken.edges} if taken else {}
    faulty = {fault.target for fault in taken.active_faults} if taken else set()
    places = positions(topology)
    nodes = [
        _node(service.name, metrics.get(service.name), places[service.name],
              faulty=service.name in faulty, selected=service.name == selected, stale=stale)
        for service in topology.services
    ]  # fmt: skip
    edges = [
        _edge(service.name, call, calls.get((service.name, call.service)), faulty)
        for service in topology.services
        for call in service.dependencies
    ]
    return nodes + edges


def _node(
    name: str,
    service: snapshot_pb2.ServiceMetrics | None,
    place: tuple[float, float],
    *,
    faulty: bool,
    selected: bool,
    stale: bool,
) -> Element:
    status = "unknown" if stale else status_class(service)
    known = service is not None and service.HasField("prediction") and not stale
    risk = probability(service.prediction.incident_probability) if service and known else "–"
    badge = "  ⚡" if faulty else ""
    classes = [status, *(["faulty"] if faulty else []), *(["selected"] if selected else [])]
    return {
        "data": {"id": name, "label": f"{name}{badge}\n{status} · risk {risk}"},
        "position": {"x": place[0], "y": place[1]},
        "classes": " ".join(classes),
    }


def _edge(
    caller: str,
    call: topology_pb2.Dependency,
    seen: snapshot_pb2.EdgeMetrics | None,
    faulty: set[str],
) -> Element:
    failing = seen is not None and seen.error_rate_percent >= 5.0
    label = ""
    if seen is not None:
        label = (
            f"{number(seen.error_rate_percent, '%')} errors"
            if failing
            else number(seen.call_rate_rps, "/s")
        )
    classes = [
        "failing" if failing else "fine",
        *([] if call.required else ["optional"]),
        *(["faulty"] if f"{caller}->{call.service}" in faulty else []),
    ]
    return {
        "data": {
            "id": f"{caller}->{call.service}",
            "source": caller,
            "target": call.service,
            "label": label,
        },
        "classes": " ".join(classes),
    }


# Okabe-Ito colours; every mark has a dark outline. Text has an outline of the ground's colour
# set by the page, so that one stylesheet serves light and dark.
STYLESHEET: list[dict[str, Any]] = [
    {
        "selector": "node",
        "style": {
            "label": "data(label)",
            "text-wrap": "wrap",
            "text-valign": "bottom",
            "text-margin-y": 8,
            "font-size": 13,
            "font-family": "system-ui, sans-serif",
            "line-height": 1.25,
            "color": "#7f8c96",
            "width": 38,
            "height": 38,
            "border-width": 2,
            "border-color": "#1d2730",
            "background-color": "#8b98a3",
            "shape": "diamond",
            "transition-property": "background-color",
            "transition-duration": 200,
        },
    },
    {"selector": ".healthy", "style": {"background-color": "#009E73", "shape": "ellipse"}},
    {
        "selector": ".degraded",
        "style": {"background-color": "#E69F00", "shape": "triangle", "width": 44, "height": 42},
    },
    {
        "selector": ".down",
        "style": {"background-color": "#D55E00", "shape": "octagon", "width": 42, "height": 42},
    },
    {
        "selector": "node.faulty",
        "style": {
            "underlay-color": "#9c5bd2",
            "underlay-opacity": 0.35,
            "underlay-padding": 9,
            "underlay-shape": "ellipse",
        },
    },
    {"selector": "node.selected", "style": {"border-width": 5, "border-color": "#0072B2"}},
    {
        "selector": "edge",
        "style": {
            "curve-style": "bezier",
            "target-arrow-shape": "triangle",
            "arrow-scale": 1.1,
            "width": 2,
            "line-color": "#8b98a3",
            "target-arrow-color": "#8b98a3",
            "label": "data(label)",
            "text-wrap": "wrap",
            "font-size": 11,
            "font-family": "system-ui, sans-serif",
            "color": "#7f8c96",
            "text-background-opacity": 0,
            "text-margin-y": -9,
            "text-rotation": "autorotate",
        },
    },
    {"selector": "edge.optional", "style": {"line-style": "dashed"}},
    {
        "selector": "edge.failing",
        "style": {"line-color": "#D55E00", "target-arrow-color": "#D55E00", "width": 3},
    },
    {"selector": "edge.faulty", "style": {"line-color": "#9c5bd2"}},
]
