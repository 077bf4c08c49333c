"""A catalog of whatever the API knows, with numbers that are the same for all."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor

from sre_edge.v1 import catalog_pb2, fault_pb2, snapshot_pb2

OVERVIEW = frozenset(
    {"cpu_percent", "memory_percent", "latency_ms", "error_rate_percent", "throughput_rps",
     "availability_percent"}
)  # fmt: skip
"""As few as a real one has: a table of all would not fit on a terminal."""
_UNITS = {"percent": "%", "ms": "ms", "rps": "req/s"}


def catalog() -> catalog_pb2.Catalog:
    """Give one with every metric of a snapshot and every kind of fault."""
    made = catalog_pb2.Catalog()
    _add(made, snapshot_pb2.ServiceMetrics.DESCRIPTOR, catalog_pb2.METRIC_SCOPE_SERVICE)
    _add(made, snapshot_pb2.EdgeMetrics.DESCRIPTOR, catalog_pb2.METRIC_SCOPE_EDGE)
    for name, kind in fault_pb2.FaultKind.items()[1:]:
        label = name.removeprefix("FAULT_KIND_").replace("_", " ").capitalize()
        fault = made.faults.add(
            kind=kind, label=label, sentence="{amount} of it fails", amount=50.0, unit="%",
            maximum_amount=100.0, maximum_intensity=10.0,
            targets=[catalog_pb2.FAULT_TARGET_SERVICE],
        )  # fmt: skip
        fault.maximum_duration.FromSeconds(3600)
    return made


def _add(
    made: catalog_pb2.Catalog, message: Descriptor, scope: catalog_pb2.MetricScope.ValueType
) -> None:
    for field in message.fields:
        if field.cpp_type == field.CPPTYPE_DOUBLE:
            title, _, unit = field.name.rpartition("_")
            title = title.replace("_", " ")
            made.metrics.add(
                name=field.name, scope=scope, unit=_UNITS.get(unit, ""),
                minimum=0.0, title=title, sentence=f"{title.capitalize()}.",
                higher_is_worse=True, overview=field.name in OVERVIEW, chart=True,
            )  # fmt: skip
