"""From a topology document to the graph that monitoring knows, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import yaml

from telemetry.graph import LATENCY_PERCENTILE, FloatArray, ServiceGraph
from telemetry.topology.call_graph import default_entries
from telemetry.topology.specification import TopologySpec


def graph_of(spec: TopologySpec) -> ServiceGraph:
    """Give the graph that a document states; what it leaves open is not known, NaN.

    Load enters where the document says so, where nobody calls and, of a cycle that nothing else
    calls, at its first service.
    """
    services = spec.services
    index = {service.name: i for i, service in enumerate(services)}
    calls = [(i, call) for i, service in enumerate(services) for call in service.dependencies]
    callees = [[index[call.service] for call in service.dependencies] for service in services]
    needed = set(default_entries(callees, [bool(service.ingress_rps) for service in services]))
    entry = [
        i in needed if service.ingress_rps is None else service.ingress_rps > 0
        for i, service in enumerate(services)
    ]
    return ServiceGraph(
        name=spec.name,
        names=tuple(index),
        kinds=tuple(service.kind for service in services),
        entry=np.array(entry, dtype=np.bool_),
        caller=np.array([i for i, _ in calls], dtype=np.intp),
        callee=np.array([index[call.service] for _, call in calls], dtype=np.intp),
        required=np.array([call.required for _, call in calls], dtype=np.bool_),
        calls_per_request=_floats([call.calls_per_request for _, call in calls]),
        timeout_ms=_floats([call.timeout_ms for _, call in calls]),
        retries=_floats([call.retries for _, call in calls]),
        replicas=_floats([service.replicas for service in services]),
        ingress_rps=_floats(
            [
                service.ingress_rps if enters or service.ingress_rps is not None else 0.0
                for service, enters in zip(services, entry, strict=True)
            ]
        ),
        slo_latency_ms=_floats([service.slo.latency_ms for service in services]),
        slo_latency_percentile=np.full(len(services), LATENCY_PERCENTILE),
        slo_error_rate_percent=_floats([s.slo.error_rate_percent for s in services]),
        slo_availability_percent=_floats([s.slo.availability_percent for s in services]),
        slo_throughput_rps=_floats([service.slo.throughput_rps for service in services]),
    )


def document_of(graph: ServiceGraph) -> str:
    """Write a graph as a topology document, in YAML; what is not known is left out.

    `graph_of` gives the same graph, number for number, unless load enters at a service that is
    called, and nobody knows how much.
    """
    services = [_service(graph, i) for i in range(graph.services)]
    for edge in range(graph.edges):
        call = _known(
            {
                "service": graph.names[graph.callee[edge]],
                "calls_per_request": graph.calls_per_request[edge],
                "timeout_ms": graph.timeout_ms[edge],
                "retries": graph.retries[edge],
            }
        )
        call["required"] = bool(graph.required[edge])
        services[graph.caller[edge]].setdefault("dependencies", []).append(call)
    stated = {"name": graph.name, "services": services}
    return yaml.dump(stated, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _service(graph: ServiceGraph, i: int) -> dict[str, Any]:
    return {
        "name": graph.names[i],
        "kind": graph.kinds[i],
        **_known({"replicas": graph.replicas[i], "ingress_rps": graph.ingress_rps[i]}),
        "slo": _known(
            {
                "latency_ms": graph.slo_latency_ms[i],
                "error_rate_percent": graph.slo_error_rate_percent[i],
                "availability_percent": graph.slo_availability_percent[i],
                "throughput_rps": graph.slo_throughput_rps[i],
            }
        ),
    }


def _known(values: dict[str, Any]) -> dict[str, Any]:
    """Keep what is known; whole numbers are written as such."""
    return {
        key: value if isinstance(value, str) else _number(float(value))
        for key, value in values.items()
        if isinstance(value, str) or not math.isnan(value)
    }


def _number(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _floats(values: list[float | None] | list[int | None] | list[float]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
