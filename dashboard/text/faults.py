"""Texts that say what each kind of fault does, for the chaos panel."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.text.names import kind_key, kind_name
from dashboard.text.numbers import number
from dashboard.text.times import length, seconds
from sre_edge.v1 import fault_pb2
from sre_edge.v1.catalog_pb2 import Catalog

AMOUNT = "{amount}"
"""Where the amount stands in the sentence about a kind."""


def kinds(catalog: Catalog) -> list[tuple[fault_pb2.FaultKind.ValueType, str]]:
    """All kinds with their names, the seed's first."""
    return [(stated.kind, stated.label) for stated in catalog.faults]


def max_intensity(catalog: Catalog) -> float:
    """Largest intensity that the server takes of any kind."""
    return max((stated.maximum_intensity for stated in catalog.faults), default=1.0)


def max_duration_s(catalog: Catalog) -> float:
    """Longest duration that the server takes of any kind, seconds."""
    return max((seconds(stated.maximum_duration) for stated in catalog.faults), default=1.0)


def effect(catalog: Catalog, kind: fault_pb2.FaultKind.ValueType, intensity: float) -> str:
    """Say what a kind does at an intensity; "" for a kind that is not known."""
    for stated in catalog.faults:
        if stated.kind == kind:
            amount = stated.amount * intensity
            if stated.HasField("maximum_amount"):
                amount = min(amount, stated.maximum_amount)
            return stated.sentence.replace(AMOUNT, number(amount, stated.unit))
    return ""


def summary(catalog: Catalog, kinds: Sequence[str], intensity: float) -> str:
    """Say what some kinds, named as in files, do at an intensity."""
    named = {kind_key(stated.kind): stated for stated in catalog.faults}
    return " ".join(
        f"{named[name].label}: {effect(catalog, named[name].kind, intensity)}."
        for name in kinds
        if name in named
    )


def description(catalog: Catalog, fault: fault_pb2.Fault) -> str:
    """Say what a fault is, where, how strong, and how it begins."""
    texts = [
        f"{kind_name(fault.kind)} on {fault.target}",
        effect(catalog, fault.kind, fault.intensity),
    ]
    if fault.share < 1.0:
        texts.append(f"{100 * fault.share:.0f} % of the replicas")
    if seconds(fault.ramp) > 0.0:
        texts.append(f"ramp {length(fault.ramp)}")
    return ", ".join(texts)
