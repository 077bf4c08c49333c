"""Graphs as Kiali's API and its "export" give them: Cytoscape nodes and edges with traffic."""

from __future__ import annotations

from typing import Any

from simulator.importers.imported import (
    Builder,
    ForeignFileError,
    Imported,
    mappings,
    number,
    rates,
)
from telemetry.document import parse

_REQUESTS = ("http", "grpc")


def read(text: str, source: str) -> Imported:
    """Read a Kiali graph.

    Raises
    ------
    DocumentError
        If it is none.
    """
    document = parse(text, source)
    elements = document.get("elements") if isinstance(document, dict) else None
    if not isinstance(elements, dict):
        raise ForeignFileError([f"{source}: elements: expected nodes and edges"])
    builder = Builder(source)
    nodes = [node["data"] for node in mappings(elements.get("nodes")) if "data" in node]
    edges = [edge["data"] for edge in mappings(elements.get("edges")) if "data" in edge]
    names: dict[str, str] = {}
    entering: dict[str, float] = {}
    for node in nodes:
        if node.get("nodeType") == "box" or node.get("isBox"):
            continue  # a frame around others
        name = _name(node)
        if name in ("", "unknown"):
            builder.warn("a node without a name, mostly traffic from outside, is left out")
            continue
        names[str(node.get("id"))] = name
        root = bool(node.get("isRoot"))
        builder.service(name, kind="gateway" if root else None)
        if root:
            entering[name] = entering.get(name, 0.0) + _out_rate(node)
    counts: dict[tuple[str, str], float] = {}
    for edge in edges:
        caller, callee = (names.get(str(edge.get(end))) for end in ("source", "target"))
        if caller is None or callee is None:
            outside = _edge_rate(builder, edge)
            if callee is not None and caller is None:
                entering[callee] = entering.get(callee, 0.0) + outside
            continue
        key = (caller, callee)
        counts[key] = counts.get(key, 0.0) + _edge_rate(builder, edge)
    for (caller, callee), often in rates(counts, entering).items():
        builder.call(caller, callee, calls_per_request=often or None)
    for name, rate in entering.items():
        builder.service(name, ingress_rps=rate or None)
    return builder.finish(str(document.get("graphType") or "kiali"))


def _name(node: dict[str, Any]) -> str:
    for key in ("app", "service", "workload"):
        if node.get(key):
            return str(node[key])
    return ""


def _out_rate(node: dict[str, Any]) -> float:
    total = 0.0
    for traffic in mappings(node.get("traffic")):
        found = traffic.get("rates") or {}
        total += sum(number(found.get(f"{kind}Out")) or 0.0 for kind in _REQUESTS)
    return total


def _edge_rate(builder: Builder, edge: dict[str, Any]) -> float:
    traffic = edge.get("traffic") or {}
    protocol = traffic.get("protocol")
    if protocol not in (*_REQUESTS, None):
        builder.warn(f"{protocol} traffic has no request rate: such calls are one per request")
        return 0.0
    return number((traffic.get("rates") or {}).get(protocol)) or 0.0
