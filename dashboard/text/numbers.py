"""Quantities as the page shows them: a line never breaks between a number and its unit."""

from __future__ import annotations

from sre_edge import quantities
from sre_edge.quantities import MISSING

__all__ = ["MISSING", "duration", "number", "probability"]


def number(value: float | None, unit: str) -> str:
    """Show a number with three significant digits, and its unit; 10,000 ms and more in s."""
    return _unbroken(quantities.number(value, unit))


def probability(value: float | None) -> str:
    """Show a probability as percent without decimals."""
    return _unbroken(quantities.probability(value))


def duration(seconds: float) -> str:
    """Show a duration such as 1 m 20 s."""
    return _unbroken(quantities.duration(seconds))


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")
