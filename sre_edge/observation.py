"""What is observed of a service, and how old it is, as people read it."""

from __future__ import annotations

import math

from sre_edge.quantities import duration
from sre_edge.v1 import snapshot_pb2

Metrics = snapshot_pb2.ServiceMetrics | snapshot_pb2.EdgeMetrics


def observed(metrics: Metrics | None, metric: str) -> float | None:
    """Give the value of a metric; None if it is not observed, or is newer than this client."""
    known = metrics is not None and metric in metrics.DESCRIPTOR.fields_by_name
    if metrics is None or not known or not metrics.HasField(metric):  # type: ignore[arg-type]  # an older server's
        return None
    value = float(getattr(metrics, metric))
    return None if math.isnan(value) else value


def old_ages(metrics: snapshot_pb2.ServiceMetrics, interval_s: float) -> dict[str, float]:
    """Give the ages of what is older than an interval, seconds, by kind of metric."""
    ages = {
        "requests": metrics.requests_age_seconds,
        "resources": metrics.resources_age_seconds,
    }
    return {kind: age for kind, age in ages.items() if age > interval_s}


def age(metrics: snapshot_pb2.ServiceMetrics, interval_s: float) -> str:
    """Say what is older than an interval, such as "requests 12 s old"; "" if nothing is."""
    texts = {kind: duration(age) for kind, age in old_ages(metrics, interval_s).items()}
    if len(texts) == 2 and len(set(texts.values())) == 1:
        return f"{texts['requests']} old"
    return ", ".join(f"{kind} {text} old" for kind, text in texts.items())
