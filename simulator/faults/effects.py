"""What each kind of fault changes in the model; what follows from it emerges."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.dynamics.parameters import Parameters
from telemetry.faults import EDGE, FAULTS, Fault, FaultKind

Changes = dict[str, float]
"""Names of `Conditions`, each with how much of it the fault adds at full strength."""
Effect = Callable[[Fault, Parameters, int], Changes]
"""Gives the changes that a fault makes at a service or, if it is aimed at edges, on each of them.

Arguments
---------
fault, parameters
    The fault, and the system that it acts on.
service
    Index of its target; of a fault on an edge, of the callee.
"""


def _amount(fault: Fault) -> float:
    """Give how much a fault does, as a share of 1, before its share of the replicas."""
    return FAULTS[fault.kind].fraction(fault.intensity)


def _adds(condition: str) -> Effect:
    """Make an effect that is the amount of the fault on its share of the replicas."""
    return lambda fault, _p, _service: {condition: _amount(fault) * fault.share}


def _memory_leak(fault: Fault, _p: Parameters, _service: int) -> Changes:
    rate = _amount(fault) / (fault.duration_s - 0.5 * fault.ramp_s)
    return {"leak_per_s": rate, "leak_share": fault.share}


def _network_latency(fault: Fault, _p: Parameters, _service: int) -> Changes:
    delay_s = FAULTS[fault.kind].amount / 1e3 * fault.intensity
    spread = delay_s * delay_s * fault.share * (1.0 - fault.share)
    return {"delay_s": delay_s * fault.share, "delay_variance_s2": spread}


def _network_partition(fault: Fault, _p: Parameters, _service: int) -> Changes:
    name = "edge_loss" if EDGE in fault.target else "loss"
    return {name: min(1.0, _amount(fault)) * fault.share}


def _service_kill(fault: Fault, _p: Parameters, _service: int) -> Changes:
    return {"killed": min(1.0, _amount(fault)) * fault.share}


def _cascade_failure(fault: Fault, p: Parameters, service: int) -> Changes:
    capacity_rps = float((p.replicas * p.workers / p.service_s)[service, 0])
    return {"flood_rps": _amount(fault) * fault.share * capacity_rps}


EFFECTS: Mapping[FaultKind, Effect] = {
    FaultKind.CPU_SPIKE: _adds("background_cpu"),
    FaultKind.MEMORY_LEAK: _memory_leak,
    FaultKind.NETWORK_LATENCY: _network_latency,
    FaultKind.PACKET_LOSS: _adds("loss"),
    FaultKind.NETWORK_PARTITION: _network_partition,
    FaultKind.SERVICE_KILL: _service_kill,
    FaultKind.ERROR_BURST: _adds("error_rate"),
    FaultKind.TRAFFIC_SURGE: _adds("extra_load"),
    FaultKind.DISK_SLOWDOWN: _adds("extra_service"),
    FaultKind.CASCADE_FAILURE: _cascade_failure,
}

if missing := set(FaultKind) - set(EFFECTS):
    raise TypeError(f"without an effect: {', '.join(sorted(missing))}")
