"""Advice on a predicted incident, from its likely types, its factors, and the calls below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ml.definitions.incident_types import INCIDENT_TYPES, IncidentType
from ml.serving.factors import Factor
from telemetry.frame import Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph


class Recommendation(NamedTuple):
    """One recommended action, and the service to act on."""

    service: str
    action: str


_ACTIONS: dict[IncidentType, tuple[str, ...]] = {
    IncidentType.CPU_SATURATION: (
        "Add replicas or raise the CPU limit of {service}: its CPU is at {cpu}.",
        "Look for background work on {service} and move it to another machine.",
    ),
    IncidentType.MEMORY_EXHAUSTION: (
        "Restart the replicas of {service} one by one before they reach their limit: memory is at "
        "{memory}.",
        "Raise the memory limit of {service}, and look for a leak since its last release.",
    ),
    IncidentType.LATENCY_DEGRADATION: (
        "Add capacity to {service}, or reduce its load: p95 latency is {p95}.",
        "Check the disk of {service} and its slow queries.",
    ),
    IncidentType.ERROR_SURGE: (
        "Roll back the last change of {service}: {errors} of its responses are errors.",
        "Route traffic away from the failing replicas of {service}.",
    ),
    IncidentType.DEPENDENCY_FAILURE: (
        "Fix {service} first: other services depend on it.",
        "Open the circuit breakers to {service} and serve a fallback.",
    ),
    IncidentType.TRAFFIC_OVERLOAD: (
        "Shed load in front of {service}, least important requests first.",
        "Add replicas to {service} until the surge is over.",
    ),
    IncidentType.SERVICE_DOWN: (
        "Restore the replicas of {service}: {availability} of them are ready.",
        "Fail over from {service}, or serve a fallback until it is back.",
    ),
}


_SIGNALS: dict[IncidentType, tuple[str, ...]] = {
    IncidentType.CPU_SATURATION: ("cpu", "capacity"),
    IncidentType.MEMORY_EXHAUSTION: ("memory",),
    IncidentType.LATENCY_DEGRADATION: ("latency", "p95", "slo_reached", "critical_path"),
    IncidentType.ERROR_SURGE: ("error", "failed"),
    IncidentType.DEPENDENCY_FAILURE: ("",),
    IncidentType.TRAFFIC_OVERLOAD: ("request", "throughput"),
    IncidentType.SERVICE_DOWN: ("availability", "loss"),
}
"""Parts of the names of inputs that speak for a type, at the service that is acted on."""

NEARLY_FULL = 80.0
LIKELY = 0.2
"""Types below this probability are not acted on, except the most likely one."""


def recommendations(
    graph: ServiceGraph,
    frame: Frame,
    service: int,
    types: FloatArray,
    factors: Sequence[Factor] = (),
) -> list[Recommendation]:
    """Advice for a service of copy 0 at risk, the most promising first.

    Parameters
    ----------
    types
        (K,) probability of each incident type. Advice is ranked by the probability of its type; a
        second action for the same type counts half.
    factors
        Factors of the prediction, if they are known. Advice counts up to twice as much, by the
        share of their contribution that supports it: for its type, at the service to act on.
    """
    ranked: list[tuple[float, Recommendation]] = []
    for place in np.argsort(-types, kind="stable"):
        probability = float(types[place])
        if probability < LIKELY and ranked:
            break
        kind = INCIDENT_TYPES[place]
        advice = _advice(graph, frame, service, kind)
        worth = probability * (1.0 + _support(kind, advice[0].service, factors))
        ranked += [(worth / (n + 1), one) for n, one in enumerate(advice)]
    ranked.sort(key=lambda pair: -pair[0])
    return list(dict.fromkeys(advice for _, advice in ranked))


def _advice(
    graph: ServiceGraph, frame: Frame, service: int, kind: IncidentType
) -> list[Recommendation]:
    acted_on = _worst_dependency(graph, frame, service) if _in_dependency(kind) else service
    name = graph.names[acted_on]
    observed = {
        "cpu": _percent(frame.cpu_percent[0, acted_on]),
        "memory": _percent(frame.memory_percent[0, acted_on]),
        "errors": _percent(frame.error_rate_percent[0, acted_on]),
        "availability": _percent(frame.availability_percent[0, acted_on]),
        "p95": _milliseconds(frame.latency_p95_ms[0, acted_on]),
    }
    return [Recommendation(name, _filled(text, name, observed)) for text in _ACTIONS[kind]]


def _filled(text: str, service: str, observed: Mapping[str, str | None]) -> str:
    """Fill in a sentence; evidence after its colon is left out if it was not observed."""
    advice, _, evidence = text.partition(": ")
    if any(value is None and f"{{{name}}}" in evidence for name, value in observed.items()):
        text = f"{advice}."
    return text.format(service=service, **observed)


def _support(kind: IncidentType, acted_on: str, factors: Sequence[Factor]) -> float:
    """Share of the contribution of all factors that speaks for a type at a service, 0 to 1."""
    speaking = sum(
        factor.contribution
        for factor in factors
        if factor.service == acted_on and any(part in factor.feature for part in _SIGNALS[kind])
    )
    return speaking / max(sum(factor.contribution for factor in factors), 1e-12)


def _in_dependency(kind: IncidentType) -> bool:
    return kind is IncidentType.DEPENDENCY_FAILURE


def _worst_dependency(graph: ServiceGraph, frame: Frame, service: int) -> int:
    """Follow the worst calls down to the service that causes the trouble."""
    visited = {service}
    while True:
        edges = np.flatnonzero(graph.caller == service)
        edges = (
            edges[[int(graph.callee[edge]) not in visited for edge in edges]]
            if len(edges)
            else edges
        )
        if not len(edges):
            return service
        late = np.nan_to_num(frame.edge_latency_ms[0, edges] / graph.timeout_ms[edges])
        failing = np.nan_to_num(frame.edge_error_rate_percent[0, edges]) / 100.0
        trouble = failing + late + _shortage(frame, graph.callee[edges])
        if trouble.max() < 0.05 and len(visited) > 1:
            return service
        service = int(graph.callee[edges[int(trouble.argmax())]])
        visited.add(service)


def _shortage(frame: Frame, services: IntArray) -> FloatArray:
    """Replicas that are missing, and how near CPU and memory are to their limits."""
    missing = 1.0 - np.nan_to_num(frame.availability_percent[0, services], nan=100.0) / 100.0
    full = np.fmax(frame.cpu_percent[0, services], frame.memory_percent[0, services])
    shortage: FloatArray = missing + np.clip((np.nan_to_num(full) - NEARLY_FULL) / 40.0, 0.0, 0.5)
    return shortage


def _percent(value: float) -> str | None:
    return f"{value:.0f} %" if np.isfinite(value) else None


def _milliseconds(value: float) -> str | None:
    return f"{value:.0f} ms" if np.isfinite(value) else None
