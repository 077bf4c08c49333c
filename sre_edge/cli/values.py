"""Values that people type on the command line."""

from __future__ import annotations

import re

import click


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
