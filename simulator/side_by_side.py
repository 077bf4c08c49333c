"""Several systems as one, that have nothing to do with each other.

A sub-step of a small system costs what its NumPy calls cost, not what they compute. Many systems in
one simulation share these calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.topology.resolved import Service, Topology
from telemetry.faults import EDGE, Fault


def side_by_side(topologies: Sequence[Topology]) -> Topology:
    """Put the services of all systems into one, system after system, each under another name."""
    services = [
        _prefixed_service(service, number)
        for number, topology in enumerate(topologies)
        for service in topology.services
    ]
    return Topology(name="side-by-side", services=tuple(services))


def prefixed_fault(fault: Fault, number: int) -> Fault:
    """Aim a fault of system `number` at the same place there."""
    target = EDGE.join(_prefixed_name(name, number) for name in fault.target.split(EDGE))
    return replace(fault, target=target)


def _prefixed_service(service: Service, number: int) -> Service:
    return replace(
        service,
        name=_prefixed_name(service.name, number),
        dependencies=tuple(
            replace(call, service=_prefixed_name(call.service, number))
            for call in service.dependencies
        ),
    )


def _prefixed_name(name: str, number: int) -> str:
    return f"s{number}-{name}"
