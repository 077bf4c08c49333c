"""The metrics and the kinds of faults, as a message."""

from __future__ import annotations

import math
from functools import cache

from server.rpc import times
from server.rpc.faults import KINDS
from sre_edge.v1 import catalog_pb2
from telemetry.faults import FAULTS, FaultDefinition, FaultKind, Target
from telemetry.metrics import METRICS, Kind, Metric


@cache
def catalog() -> catalog_pb2.Catalog:
    """Convert the tables of metrics and faults; the message must not be changed."""
    return catalog_pb2.Catalog(
        metrics=[_metric(metric) for metric in METRICS],
        faults=[_fault(kind, definition) for kind, definition in FAULTS.items()],
    )


def _metric(metric: Metric) -> catalog_pb2.MetricDefinition:
    of_edge = metric.kind is Kind.EDGES
    return catalog_pb2.MetricDefinition(
        name=metric.name,
        scope=catalog_pb2.METRIC_SCOPE_EDGE if of_edge else catalog_pb2.METRIC_SCOPE_SERVICE,
        unit=metric.unit,
        minimum=metric.min,
        maximum=metric.max,
        title=metric.title,
        sentence=metric.sentence,
        higher_is_worse=metric.higher_is_worse,
        overview=metric.overview,
        chart=metric.chart,
    )


def _fault(kind: FaultKind, definition: FaultDefinition) -> catalog_pb2.FaultDefinition:
    return catalog_pb2.FaultDefinition(
        kind=KINDS.value[kind],
        label=definition.label,
        sentence=definition.sentence,
        amount=definition.amount,
        unit=definition.unit,
        maximum_amount=definition.max_amount if math.isfinite(definition.max_amount) else None,
        maximum_intensity=definition.max_intensity,
        maximum_duration=times.duration(definition.max_duration_s),
        targets=[
            catalog_pb2.FaultTarget.Value(f"FAULT_TARGET_{target.name}")
            for target in Target
            if target in definition.targets
        ],
    )
