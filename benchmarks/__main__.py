"""All benchmarks in one run, and the report of them: `make bench`."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from benchmarks.figures import Part, progress
from benchmarks.machine import load, machine, pace_ms, versions

PARTS = (
    "client", "simulator", "network", "predictor", "serving", "subscribers", "large_system",
    "fleet", "dashboard",
)  # fmt: skip


@click.command()
@click.argument("names", metavar="[PART]...", nargs=-1, type=click.Choice(PARTS))
@click.option("--quick", is_flag=True, help="See that everything works; the figures mean nothing.")
@click.option("--out", type=click.Path(path_type=Path), default="docs", show_default=True)
def main(names: tuple[str, ...], quick: bool, out: Path) -> None:
    """Measure all parts, or some, and write benchmarks.md, benchmarks.json and pictures."""
    kept = out / "benchmarks.json"
    last = json.loads(kept.read_text()) if kept.exists() else None
    facts: dict[str, Any] = {"quick": quick, "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
    facts |= {"machine": machine(), "versions": versions(), "load_before": load()}
    began = time.monotonic()
    parts, paces_ms = [], [pace_ms()]
    for name in names or PARTS:
        parts.append(measured(name, quick=quick))
        paces_ms.append(pace_ms())
    facts |= {
        "paces_ms": paces_ms,
        "load_after": load(),
        "minutes": (time.monotonic() - began) / 60.0,
    }

    from benchmarks import plots, report  # Matplotlib's memory and threads come after

    out.mkdir(parents=True, exist_ok=True)
    plots.plots(parts, out / "images" / "benchmarks")
    (out / "benchmarks.md").write_text(report.page(parts, facts, last))
    kept.write_text(json.dumps(report.as_json(parts, facts), indent=1) + "\n")
    progress(f"written: {out / 'benchmarks.md'}")
    if any(not part.figures for part in parts):
        sys.exit("a part could not be measured")


def measured(name: str, *, quick: bool) -> Part:
    """Measure one part; where that fails the report says so, and the others are measured."""
    try:
        measure: Callable[..., Part] = import_module(f"benchmarks.{name}").measure
        return measure(quick=quick)
    except Exception as error:
        traceback.print_exc()
        return Part(name, [], notes=[f"Could not be measured: {type(error).__name__}."])


if __name__ == "__main__":
    main()
