"""Faults: what can be done to a system, and when.

A fault is a change of parameters (capacity, memory growth, delay, loss, load); what follows
from it emerges in the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What is done to the target; the effect is linear in the intensity i."""

    CPU_SPIKE = "cpu_spike"
    """Background load of 30 x i percent of the CPU."""
    MEMORY_LEAK = "memory_leak"
    """Memory grows by 40 x i percent of the limit over the fault's duration."""
    NETWORK_LATENCY = "network_latency"
    """1000 x i ms more on every call to the target."""
    PACKET_LOSS = "packet_loss"
    """10 x i percent of the calls to the target are lost."""
    NETWORK_PARTITION = "network_partition"
    """A share min(1, i) of the calls to the target, or on one edge, is lost."""
    SERVICE_KILL = "service_kill"
    """A share min(1, i) of the replicas is down."""
    ERROR_BURST = "error_burst"
    """20 x i percent of the target's answers are errors."""
    TRAFFIC_SURGE = "traffic_surge"
    """The load on an entry is multiplied by 1 + i."""
    DISK_SLOWDOWN = "disk_slowdown"
    """The target's own service time is multiplied by 1 + 2 x i."""
    CASCADE_FAILURE = "cascade_failure"
    """Requests of 1.5 x i times its capacity flood the target."""


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
