"""Sentences for events of faults and of the kill switch."""

from __future__ import annotations

from server.records.events import EventKind
from server.records.experiments import InjectedFault
from telemetry.faults import EDGE, FAULTS, FaultKind


def kind_of(kind: FaultKind) -> str:
    """Name a kind of fault within a sentence."""
    return FAULTS[kind].label.lower()


def affected_services(fault: InjectedFault) -> tuple[str, ...]:
    """Services that a fault affects directly: its target, or both ends of its edge."""
    return tuple(fault.target.split(EDGE, 1))


def of_fault(fault: InjectedFault, kind: EventKind) -> str:
    """Say that a fault begins, has ended, or was stopped."""
    what = f"{kind_of(fault.kind)} on {fault.target} ({fault.id})"
    if kind is EventKind.FAULT_STARTED:
        return f"{what} begins, intensity {fault.intensity:g}, for {fault.duration_s:g} s"
    if kind is EventKind.FAULT_STOPPED:
        return f"{what} was stopped"
    return f"{what} is over"


def of_kill_switch(engaged: bool) -> str:
    """Say that faults are refused from now on, or accepted again."""
    if engaged:
        return "the kill switch is engaged: faults are refused"
    return "the kill switch is lifted: faults are accepted again"
