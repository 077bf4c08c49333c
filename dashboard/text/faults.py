"""Texts that say what each kind of fault does, for the chaos panel."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.text.names import kind_key, kind_name, sentence
from dashboard.text.numbers import number
from dashboard.text.times import length, seconds
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


def kinds() -> list[tuple[fault_pb2.FaultKind.ValueType, str]]:
    """All kinds with their names, the seed's first."""
    return [(kind, sentence(kind_name(kind))) for kind in _EFFECTS]


def effect(kind: fault_pb2.FaultKind.ValueType, intensity: float) -> str:
    """Say what a kind does at an intensity; "" for a kind that is not known."""
    if kind not in _EFFECTS:
        return ""
    text, amount, unit = _EFFECTS[kind]
    value = amount * intensity
    if kind in _AT_MOST_ALL:
        value = min(value, 100.0)
    return text.format(number(value, unit))


def summary(kinds: Sequence[str], intensity: float) -> str:
    """Say what some kinds, named as in files, do at an intensity."""
    named = {kind_key(kind): kind for kind in _EFFECTS}
    return " ".join(
        f"{sentence(kind_name(named[name]))}: {effect(named[name], intensity)}."
        for name in kinds
        if name in named
    )


def description(fault: fault_pb2.Fault) -> str:
    """Say what a fault is, where, how strong, and how it begins."""
    texts = [f"{kind_name(fault.kind)} on {fault.target}", effect(fault.kind, fault.intensity)]
    if fault.share < 1.0:
        texts.append(f"{100 * fault.share:.0f} % of the replicas")
    if seconds(fault.ramp) > 0.0:
        texts.append(f"ramp {length(fault.ramp)}")
    return ", ".join(texts)
