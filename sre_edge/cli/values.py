"""How figures are written: few digits, always with their unit, an en dash for what is missing."""

from __future__ import annotations

import re

import click

MISSING = "–"


def number(value: float | None, unit: str = "") -> str:
    """Write a number with at most three significant digits and its unit."""
    if value is None:
        return MISSING
    size = abs(value)
    if size >= 1_000_000:
        text = f"{value / 1e6:.3g}M"
    elif size >= 1000:
        text = f"{value / 1e3:.3g}k"
    else:
        text = f"{value:.0f}" if size >= 100 else f"{value:.3g}" if size >= 0.01 else "0"
    return f"{text} {unit}".rstrip()


def probability(value: float | None) -> str:
    """Write a probability as percent without decimals."""
    if value is None:
        return MISSING
    return "<1 %" if value < 0.01 else f"{100 * value:.0f} %"


def duration(seconds: float) -> str:
    """Write a duration such as 1 m 20 s."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"


class DurationType(click.ParamType[float]):
    """Seconds, from 90, 90s, 1.5m or 1h."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a duration."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", str(value).strip())
        if not found:
            self.fail(f"expected a duration such as 30s, 5m or 1h, got {value!r}", param, ctx)
        return float(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[found[2] or "s"]


DURATION = DurationType()
