"""Quantities as the page shows them: a line never breaks between a number and its unit."""

from __future__ import annotations

from sre_edge import observation, quantities
from sre_edge.quantities import MISSING
from sre_edge.v1 import snapshot_pb2

__all__ = ["MISSING", "age", "duration", "number", "probability"]


def number(value: float | None, unit: str) -> str:
    """Show a number with three significant digits, and its unit; 10,000 ms and more in s."""
    return _unbroken(quantities.number(value, unit))


def probability(value: float | None) -> str:
    """Show a probability as percent without decimals."""
    return _unbroken(quantities.probability(value))


def duration(seconds: float) -> str:
    """Show a duration such as 1 m 20 s."""
    return _unbroken(quantities.duration(seconds))


def age(metrics: snapshot_pb2.ServiceMetrics | None, interval_s: float) -> str:
    """Say which values of a service are older than an interval, and how old; "" if none is."""
    said = observation.age(metrics, interval_s) if metrics else ""
    return ", ".join(map(_unbroken, said.split(", ")))


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")
