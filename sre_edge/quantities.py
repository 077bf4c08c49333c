"""How quantities are written: few digits, always a unit, an en dash for what is missing."""

from __future__ import annotations

import math

MISSING = "–"


def number(value: float | None, unit: str) -> str:
    """Write a number with three significant digits, and its unit; 10,000 ms and more in s."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    if unit == "ms" and size >= 999.5:
        return f"{value:.0f} ms" if size < 10_000 else number(value / 1000.0, "s")
    if size >= 999_500:
        text = f"{value / 1e6:.3g}M"
    elif size >= 999.5:
        text = f"{value / 1e3:.3g}k"
    elif size >= 99.5:
        text = f"{value:.0f}"
    elif size >= 0.01:
        text = f"{value:.3g}"
    else:
        text = "0"
    return f"{text} {unit}".rstrip()


def probability(value: float | None) -> str:
    """Write a probability as percent without decimals."""
    if value is None or not math.isfinite(value):
        return MISSING
    return "<1 %" if value < 0.01 else f"{100.0 * value:.0f} %"


def duration(seconds: float) -> str:
    """Write a duration such as 1 m 20 s."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"
