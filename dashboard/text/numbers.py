"""Quantities as the page shows them: a line never breaks between a number and its unit."""

from __future__ import annotations

from sre_edge import quantities
from sre_edge.quantities import MISSING

__all__ = ["MISSING", "duration", "milliseconds", "number", "probability"]


def number(value: float | None, unit: str) -> str:
    """Show a number with at most three significant digits, and its unit."""
    return _unbroken(quantities.number(value, unit))


def milliseconds(value: float | None) -> str:
    """Show a latency; from 10 s on in seconds."""
    return _unbroken(quantities.milliseconds(value))


def probability(value: float | None) -> str:
    """Show a probability as percent without decimals."""
    return _unbroken(quantities.probability(value))


def duration(seconds: float) -> str:
    """Show a duration such as 1 m 20 s."""
    return _unbroken(quantities.duration(seconds))


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")
