"""What each kind of fault does, in words, for the chaos panel."""

from __future__ import annotations

from dashboard.events import kind_name
from dashboard.numbers import number
from sre_edge.v1 import fault_pb2

MAX_INTENSITY = 10.0

_EFFECTS: dict[fault_pb2.FaultKind.ValueType, tuple[str, float, str]] = {
    fault_pb2.FAULT_KIND_CPU_SPIKE: ("{} more CPU", 30.0, "%"),
    fault_pb2.FAULT_KIND_MEMORY_LEAK: ("memory grows by {} of the limit", 40.0, "%"),
    fault_pb2.FAULT_KIND_NETWORK_LATENCY: ("{} more on every call to it", 1000.0, "ms"),
    fault_pb2.FAULT_KIND_PACKET_LOSS: ("{} of the calls to it are lost", 10.0, "%"),
    fault_pb2.FAULT_KIND_NETWORK_PARTITION: ("{} of the calls to it are lost", 100.0, "%"),
    fault_pb2.FAULT_KIND_SERVICE_KILL: ("{} of its replicas are down", 100.0, "%"),
    fault_pb2.FAULT_KIND_ERROR_BURST: ("{} of its answers are errors", 20.0, "%"),
    fault_pb2.FAULT_KIND_TRAFFIC_SURGE: ("{} more load from outside", 100.0, "%"),
    fault_pb2.FAULT_KIND_DISK_SLOWDOWN: ("its own work takes {} longer", 200.0, "%"),
    fault_pb2.FAULT_KIND_CASCADE_FAILURE: ("a flood of {} of its capacity", 150.0, "%"),
}
_AT_MOST_ALL = frozenset(
    {
        fault_pb2.FAULT_KIND_PACKET_LOSS,
        fault_pb2.FAULT_KIND_NETWORK_PARTITION,
        fault_pb2.FAULT_KIND_SERVICE_KILL,
        fault_pb2.FAULT_KIND_ERROR_BURST,
    }
)


def kinds() -> list[tuple[int, str]]:
    """All kinds with their names, the seed's first."""
    return [(kind, kind_name(kind).capitalize()) for kind in _EFFECTS]


def effect(kind: fault_pb2.FaultKind.ValueType, intensity: float) -> str:
    """Say what a kind does at an intensity; "" for a kind that is not known."""
    if kind not in _EFFECTS:
        return ""
    text, amount, unit = _EFFECTS[kind]
    value = amount * intensity
    if kind in _AT_MOST_ALL:
        value = min(value, 100.0)
    return text.format(number(value, unit))
