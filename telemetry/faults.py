"""Faults: what can be done to a system, how strong, to what, and for how long.

Recordings, experiments and whatever injects faults name them alike. What a kind does to the model
of a system is the simulator's (`simulator.faults.effects`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Flag, StrEnum, auto

import numpy as np

from telemetry.graph import IntArray, ServiceGraph

EDGE = "->"
"""Between caller and callee, where a target is one edge."""
AMOUNT = "{amount}"
"""Where the amount of a fault stands in the sentence about its kind."""


class FaultKind(StrEnum):
    """What is done to the target; `FAULTS` says more of each."""

    CPU_SPIKE = "cpu_spike"
    MEMORY_LEAK = "memory_leak"
    NETWORK_LATENCY = "network_latency"
    PACKET_LOSS = "packet_loss"
    NETWORK_PARTITION = "network_partition"
    SERVICE_KILL = "service_kill"
    ERROR_BURST = "error_burst"
    TRAFFIC_SURGE = "traffic_surge"
    DISK_SLOWDOWN = "disk_slowdown"
    CASCADE_FAILURE = "cascade_failure"


class Target(Flag):
    """What a kind of fault may act on."""

    SERVICE = auto()
    """Any service."""
    ENTRY = auto()
    """A service that load enters from outside."""
    EDGE = auto()
    """The calls from one service to another, "caller->callee"."""
    NOTHING = auto()
    """No target stated: the service that most others depend on."""


@dataclass(frozen=True, slots=True)
class FaultDefinition:
    """One kind of fault. Its effect is linear in the intensity.

    Attributes
    ----------
    label
        Name for people.
    amount, unit
        How much is done at intensity 1, in "%" or "ms".
    sentence
        What it does, in words; the amount stands in place of `AMOUNT`.
    targets
        What it may act on.
    max_amount
        An intensity that asks for more does no more than this.
    max_intensity, max_duration_s
        The most that a live system takes; an offline run takes any.
    """

    label: str
    amount: float
    unit: str
    sentence: str
    targets: Target = Target.SERVICE
    max_amount: float = math.inf
    max_intensity: float = 10.0
    max_duration_s: float = 3600.0

    def fraction(self, intensity: float) -> float:
        """Give what is stated in percent as a fraction, at an intensity; may be above 1."""
        return self.amount / 100.0 * intensity


_ALL = 100.0

FAULTS: Mapping[FaultKind, FaultDefinition] = {
    FaultKind.CPU_SPIKE: FaultDefinition("CPU spike", 30.0, "%", "{amount} more CPU"),
    FaultKind.MEMORY_LEAK: FaultDefinition(
        "Memory leak", 40.0, "%", "memory grows by {amount} of the limit over its duration"
    ),
    FaultKind.NETWORK_LATENCY: FaultDefinition(
        "Network latency", 1000.0, "ms", "{amount} more on every call to it"
    ),
    FaultKind.PACKET_LOSS: FaultDefinition(
        "Packet loss", 10.0, "%", "{amount} of the calls to it are lost", max_amount=_ALL
    ),
    FaultKind.NETWORK_PARTITION: FaultDefinition(
        "Network partition", 100.0, "%", "{amount} of the calls to it are lost",
        targets=Target.SERVICE | Target.EDGE, max_amount=_ALL,
    ),
    FaultKind.SERVICE_KILL: FaultDefinition(
        "Service kill", 100.0, "%", "{amount} of its replicas are down", max_amount=_ALL
    ),
    FaultKind.ERROR_BURST: FaultDefinition(
        "Error burst", 20.0, "%", "{amount} of its answers are errors", max_amount=_ALL
    ),
    FaultKind.TRAFFIC_SURGE: FaultDefinition(
        "Traffic surge", 100.0, "%", "{amount} more load from outside", targets=Target.ENTRY
    ),
    FaultKind.DISK_SLOWDOWN: FaultDefinition(
        "Disk slowdown", 200.0, "%", "its own work takes {amount} longer"
    ),
    FaultKind.CASCADE_FAILURE: FaultDefinition(
        "Cascade failure", 150.0, "%", "a flood of {amount} of its capacity",
        targets=Target.SERVICE | Target.NOTHING,
    ),
}  # fmt: skip

if missing := set(FaultKind) - set(FAULTS):
    raise TypeError(f"FAULTS says nothing of {', '.join(sorted(missing))}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; it ends by itself.

    Attributes
    ----------
    target
        Name of a service; for a partition also one edge, "caller->callee"; for a cascade
        failure also "", the service that most others depend on.
    kind
        What is done to it.
    start_s
        When it begins, simulated seconds since the start of the run.
    duration_s
        How long it acts, ramp included, greater than 0.
    intensity
        Strength, greater than 0.
    ramp_s
        How long it takes to reach its full strength, 0 to `duration_s`.
    share
        Share of the target's replicas that it acts on, greater than 0, at most 1.
    """

    target: str
    kind: FaultKind
    start_s: float
    duration_s: float
    intensity: float = 1.0
    ramp_s: float = 0.0
    share: float = 1.0

    @property
    def end_s(self) -> float:
        """When it ends, simulated seconds since the start of the run."""
        return self.start_s + self.duration_s


class FaultError(ValueError):
    """A fault that cannot be injected.

    Attributes
    ----------
    field
        The attribute of `Fault` that is wrong.
    """

    def __init__(self, field: str, expectation: str) -> None:
        self.field = field
        super().__init__(f"{field}: {expectation}")


def check(fault: Fault, graph: ServiceGraph) -> None:
    """Check that a fault is possible in a system.

    Raises
    ------
    FaultError
        If it is not.
    """
    if fault.kind not in list(FaultKind):
        raise FaultError("kind", f"expected one of {', '.join(FaultKind)}, got {fault.kind!r}")
    for name in ("start_s", "duration_s", "intensity", "ramp_s", "share"):
        value = getattr(fault, name)
        if not math.isfinite(value):
            raise FaultError(name, f"expected a finite number, got {value}")
    if fault.start_s < 0:
        raise FaultError("start_s", f"expected at least 0, got {fault.start_s:g}")
    if fault.duration_s <= 0:
        raise FaultError("duration_s", f"expected more than 0, got {fault.duration_s:g}")
    if fault.intensity <= 0:
        raise FaultError("intensity", f"expected more than 0, got {fault.intensity:g}")
    if not 0 <= fault.ramp_s <= fault.duration_s:
        raise FaultError(
            "ramp_s", f"expected 0 to the duration ({fault.duration_s:g}), got {fault.ramp_s:g}"
        )
    if not 0 < fault.share <= 1:
        raise FaultError("share", f"expected more than 0, at most 1, got {fault.share:g}")
    _check_target(fault, graph)


def beyond_limits(fault: Fault) -> Iterator[tuple[str, str]]:
    """Say what a live system does not take of a fault, whichever system it is.

    Yields
    ------
    field, expectation
        The attribute of `Fault`, and what was expected of it.
    """
    limits = FAULTS[FaultKind(fault.kind)]
    if not 0 < fault.duration_s <= limits.max_duration_s:
        yield "duration_s", f"expected more than 0 s, at most {limits.max_duration_s:g} s"
    if not 0 < fault.intensity <= limits.max_intensity:
        yield "intensity", f"expected more than 0, at most {limits.max_intensity:g}"
    if not (math.isfinite(fault.ramp_s) and 0 <= fault.ramp_s <= max(fault.duration_s, 0.0)):
        yield "ramp_s", "expected at least 0 s, at most the duration"
    if not 0 < fault.share <= 1:
        yield "share", "expected more than 0, at most 1"
    if not fault.target and Target.NOTHING not in limits.targets:
        yield "target", "expected the name of a service"


def edges_along(target: str, graph: ServiceGraph) -> IntArray:
    """Give the edges that "caller->callee" means, indices into those of the graph."""
    caller, _, callee = target.partition(EDGE)
    if caller not in graph.index or callee not in graph.index:
        return np.empty(0, dtype=np.intp)
    i, j = graph.index[caller], graph.index[callee]
    return np.flatnonzero((graph.caller == i) & (graph.callee == j))


def _check_target(fault: Fault, graph: ServiceGraph) -> None:
    targets = FAULTS[FaultKind(fault.kind)].targets
    if Target.NOTHING in targets and fault.target == "":
        return
    if Target.EDGE in targets and EDGE in fault.target:
        if not len(edges_along(fault.target, graph)):
            raise FaultError("target", f"expected an edge of the system, got {fault.target!r}")
        return
    if fault.target not in graph.index:
        raise FaultError("target", f"expected one of {_listed(graph.names)}, got {fault.target!r}")
    if Target.SERVICE not in targets and not graph.entry[graph.index[fault.target]]:
        entries = [name for name, entry in zip(graph.names, graph.entry, strict=True) if entry]
        raise FaultError("target", f"expected an entry ({_listed(entries)}), got {fault.target!r}")


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
