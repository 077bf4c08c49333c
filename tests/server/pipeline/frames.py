"""Frames made by hand, and a small system for them: edge -> cart -> store, edge -> mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from ml.definitions.breach import breached
from server.pipeline.state import FrameClock, ServiceStates, StateStage
from simulator.topology.file import parse_topology
from telemetry.frame import Frame
from telemetry.graph import ServiceGraph
from telemetry.metrics import EDGE_METRICS, SERVICE_METRICS

START = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
CLOCK = FrameClock(START, 2.0)
NAMES = ("edge", "cart", "store", "mail")
HEALTHY = {
    "cpu_percent": 30.0, "memory_percent": 50.0, "latency_ms": 20.0, "latency_p50_ms": 15.0,
    "latency_p95_ms": 40.0, "latency_p99_ms": 60.0, "error_rate_percent": 0.0,
    "request_count": 200.0, "failed_count": 0.0, "throughput_rps": 100.0,
    "availability_percent": 100.0,
}  # fmt: skip
FAILING = {"error_rate_percent": 50.0, "failed_count": 100.0, "throughput_rps": 50.0}


def graph(**slo: float) -> ServiceGraph:
    return system({"edge": ["cart", "mail"], "cart": ["store"], "store": [], "mail": []}, **slo)


def system(calls: Mapping[str, Sequence[str]], **slo: float) -> ServiceGraph:
    """A system of services and whom each calls."""
    stated = {"latency_ms": 200, "error_rate_percent": 1, "availability_percent": 99.9,
              "throughput_rps": 80, **slo}  # fmt: skip
    services = [
        {"name": name, "slo": stated, "dependencies": callees} for name, callees in calls.items()
    ]
    return parse_topology({"name": "made", "services": services}).graph()


def frame(
    number: int = 0,
    changes: Mapping[str, Mapping[str, float]] | None = None,
    names: Sequence[str] = NAMES,
    calls: int = 3,
) -> Frame:
    """A frame in which all is well, but for the values of some services."""
    columns = {
        metric.field: np.full((1, len(names)), HEALTHY.get(metric.name, np.nan))
        for metric in SERVICE_METRICS
    }
    for service, values in (changes or {}).items():
        for name, value in values.items():
            columns[name][0, names.index(service)] = value
    edges = {metric.field: np.full((1, calls), np.nan) for metric in EDGE_METRICS}
    return Frame(t_s=2.0 * number, interval_s=2.0, age=None, **columns, **edges)


def updated(stage: StateStage, frame: Frame) -> ServiceStates:
    """State of the services after a frame of `graph`."""
    return stage.update(frame, breached(frame, graph()))
