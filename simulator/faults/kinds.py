"""Faults, by their names of before; see `telemetry.faults`."""

from telemetry.faults import Fault, FaultKind

__all__ = ["Fault", "FaultKind"]
