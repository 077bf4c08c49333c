"""What of a system is drawn: all of it, a part, or groups of what is too much for one picture."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from dashboard.address import Address
from dashboard.graph.positions import levels
from dashboard.text.names import service_kind, status_of
from sre_edge.v1 import snapshot_pb2, topology_pb2

MAX_NODES = 500
AT_RISK = 0.3
"""Probability from which on a service counts as in trouble: medium risk."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn.

    Attributes
    ----------
    services
        Drawn each by itself, in topology order.
    groups
        Members of what is drawn as one, by the name of the group.
    left_out
        Services that pass the filter, but are too many.
    """

    services: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    left_out: int = 0


def in_trouble(metrics: snapshot_pb2.ServiceMetrics | None) -> bool:
    """Whether somebody should look at a service: not healthy, or at risk."""
    if metrics is None:
        return False
    risky = metrics.HasField("prediction") and metrics.prediction.incident_probability >= AT_RISK
    return risky or status_of(metrics) in ("degraded", "down")


def picture(
    topology: topology_pb2.Topology,
    metrics: dict[str, snapshot_pb2.ServiceMetrics],
    address: Address,
) -> Picture:
    """Choose what is drawn: what passes the filters, in groups if that is above `MAX_NODES`."""
    wanted = [
        service.name
        for service in topology.services
        if address.find.lower() in service.name
        and (not address.unhealthy or in_trouble(metrics.get(service.name)))
    ]
    if len(wanted) <= MAX_NODES:
        return Picture(tuple(wanted), {})
    groups = _groups(topology, wanted)
    opened = groups.pop(address.group, ())
    if len(opened) > MAX_NODES:
        risk = {
            name: metrics[name].prediction.incident_probability
            for name in opened
            if name in metrics
        }
        kept = set(sorted(opened, key=lambda name: -risk.get(name, 0.0))[:MAX_NODES])
        shown = tuple(name for name in opened if name in kept)
        return Picture(shown, groups, len(opened) - len(shown))
    return Picture(opened, groups)


def _groups(topology: topology_pb2.Topology, wanted: list[str]) -> dict[str, tuple[str, ...]]:
    """Group services by what they are and how deep they stand, as "service, level 3"."""
    calls = [(s.name, call.service) for s in topology.services for call in s.dependencies]
    level = levels([service.name for service in topology.services], calls)
    kinds = {service.name: service_kind(service.kind) for service in topology.services}
    found: dict[str, list[str]] = defaultdict(list)
    for name in wanted:
        found[f"{kinds[name]}, level {level[name] + 1}"].append(name)
    return {name: tuple(members) for name, members in sorted(found.items())}
