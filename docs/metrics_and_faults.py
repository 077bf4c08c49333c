"""Writes the tables of docs/metrics-and-faults.md from those of `telemetry/`: `make docs`."""

from __future__ import annotations

import math
from pathlib import Path

from telemetry.faults import FAULTS, FaultDefinition, Target
from telemetry.metrics import METRICS, Kind, Metric, Over

PAGE = Path(__file__).resolve().parent / "metrics-and-faults.md"

_INTRODUCTION = """\
# Metrics and faults

What is observed of a system and what can be done to it, from `telemetry/metrics.py` and
`telemetry/faults.py`. Written by `make docs`; a test fails if it is stale. A client gets the same
from `SimulationService/GetCatalog`, and `sre-edge faults` prints the kinds of faults.
"""
_METRICS = """\
## Metrics

A value that is not observed is NaN in the API and left out of `/metrics`. Overviews show what is
marked so; what has a chart is charted where one service is shown; both are in `/metrics`, too.

| metric | of | unit | range | over time | bad when | overview | chart | meaning |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
_FAULTS = """\
## Faults

The effect is linear in the intensity i, 1 being the default. A live system takes an intensity and a
duration up to the limits here; a ramp lasts at most as long as its fault.

| kind | effect | target | intensity up to | duration up to |
| --- | --- | --- | ---: | ---: |
"""
_OF = {
    Kind.RESOURCES: "a service's replicas",
    Kind.REQUESTS: "requests to a service",
    Kind.EDGES: "calls along an edge",
    Kind.PREDICTION: "what the model expects of a service",
}
_BAD = {True: "high", False: "low", None: ""}
_TARGETS = {
    Target.SERVICE: "service",
    Target.ENTRY: "entry",
    Target.EDGE: "`caller->callee`",
    Target.NOTHING: "none: the service that most others depend on",
}


def page() -> str:
    """Give the whole page."""
    metrics = "".join(_metric(metric) for metric in METRICS)
    faults = "".join(f"| `{kind}` {_fault(stated)}" for kind, stated in FAULTS.items())
    return f"{_INTRODUCTION}\n{_METRICS}{metrics}\n{_FAULTS}{faults}"


def _metric(metric: Metric) -> str:
    low = "" if metric.min is None else f"{metric.min:g}"
    high = "…" if metric.max is None else f"{metric.max:g}"
    cells = (
        f"`{metric.name}`", _OF[metric.kind], metric.unit, f"{low} to {high}", _over_time(metric),
        _BAD[metric.higher_is_worse], "yes" if metric.overview else "",
        "yes" if metric.chart else "", metric.sentence,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _over_time(metric: Metric) -> str:
    rule = metric.over_time
    if rule.how is Over.RATIO:
        return f"`{rule.part}` over `{rule.whole}`"
    weight = f" by `{rule.whole}`" if rule.whole else ""
    return f"{rule.how}{weight}"


def _fault(stated: FaultDefinition) -> str:
    most = f", at most {stated.max_amount:g} {stated.unit}"
    amount = f"{stated.amount:g} i {stated.unit}"
    effect = stated.sentence.format(amount=amount) + most * math.isfinite(stated.max_amount)
    targets = ", or ".join(_TARGETS[target] for target in Target if target in stated.targets)
    limits = f"{stated.max_intensity:g} | {stated.max_duration_s:g} s"
    return f"| {effect} | {targets} | {limits} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
