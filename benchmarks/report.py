"""All figures as one page in Markdown and as JSON, and what became of them since the last time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from benchmarks.figures import Curve, Figure, Part
from benchmarks.fits import better, power_law

MIN_CHANGE = 0.02
HEAD = """# Benchmarks

`make bench` writes this page, its pictures and [benchmarks.json](benchmarks.json). Each figure is a
cost (time, memory, CPU) and stands beside a limit that the project has set itself, or beside a peer
that was measured in the same run, in turns with ours: absolute figures depend on the machine, and
ratios much less. **Below a ratio of 1 ours is cheaper, or within its limit.** A figure is the
median of its repetitions; the spread is the range of the middle half of the ratios, over their
median.
"""
OTHERS = """## Measured on their own

They take long, and say whether they passed: `python -m benchmarks.dashboard memory [MINUTES]`, the
memory of one tab of the dashboard, and `make soak`, a simulated day ([soak.md](soak.md)). Each
part of this page has a command too, `python -m benchmarks PART`.
"""
COLUMNS = "| cost | | beside | its cost | ratio | promised | repetitions | spread |"
RULE = "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"


class Change(NamedTuple):
    """What became of the ratio of a figure, and whether that is beyond the spread of both."""

    name: str
    last: float
    now: float
    beyond: bool

    @property
    def relative(self) -> float:
        """How much more it is now; below 0 it is less."""
        return self.now / self.last - 1.0


def as_json(parts: Sequence[Part], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Give everything that was measured, with facts about the run."""
    return {**facts, "parts": [_part(part) for part in parts]}


def _part(part: Part) -> dict[str, Any]:
    figures = [{**asdict(figure), "ratio": figure.ratio} for figure in part.figures]
    return {**asdict(part), "figures": figures}


def changes(parts: Sequence[Part], last: Mapping[str, Any]) -> list[Change]:
    """Compare the ratios with those of the last report.

    A change is beyond the spread if the middle halves of both reports would not overlap; where
    a figure was measured once, nothing is known of its spread and no change is beyond it.
    """
    known = {(part["title"], one["name"], one["beside"]): one
             for part in last["parts"] for one in part["figures"]}  # fmt: skip
    found = []
    for part in parts:
        for figure in part.figures:
            before = known.get((part.title, figure.name, figure.beside))
            if before is None:
                continue
            change = Change(
                f"{part.title}: {figure.name}, beside {figure.beside}",
                before["ratio"],
                figure.ratio,
                beyond=_beyond(figure, before),
            )
            found.append(change)
    return found


def _beyond(figure: Figure, before: Mapping[str, Any]) -> bool:
    if figure.spread is None or before["spread"] is None:
        return False
    noise = (figure.spread * figure.ratio + before["spread"] * before["ratio"]) / 2.0
    return abs(figure.ratio - before["ratio"]) > max(noise, MIN_CHANGE * before["ratio"])


def page(parts: Sequence[Part], facts: Mapping[str, Any], last: Mapping[str, Any] | None) -> str:
    """Write the report."""
    lines = [HEAD, *_facts(facts), "", "![All ratios](images/benchmarks/ratios.png)", ""]
    lines += ["## Since the last report", "", *_since(parts, facts, last), ""]
    missed = [f"- {part.title}: {figure.name}, {digits(figure.ratio)} × {figure.beside}"
              for part in parts for figure in part.figures if not figure.met]  # fmt: skip
    lines += ["## Promises not met", "", *(missed or ["None."]), ""]
    for part in parts:
        lines += [f"## {part.title}", "", *section(part), ""]
        for curve in part.curves:
            picture = f"images/benchmarks/{slug(curve)}.png"
            lines += [f"![{curve.name} over {curve.over}]({picture})", ""]
    return "\n".join([*lines, OTHERS])


def section(part: Part) -> list[str]:
    """Give the figures of a part as a table, its curves as laws, and its notes."""
    lines = [COLUMNS, RULE, *(_row(figure) for figure in part.figures)] if part.figures else []
    for curve in part.curves:
        fit, law = better(curve.points), power_law(curve.points)
        points = ", ".join(f"{size:,.0f}: {digits(cost)}" for size, cost in curve.points)
        lines += [
            "",
            f"{curve.name} over n {curve.over}, {curve.unit}: {fit.text}, off by {fit.error:.0%} "
            f"at the points ({points}); as a power law {law.text}, off by {law.error:.0%}.",
        ]
    for note in part.notes:
        lines += ["", note]
    return lines


def slug(curve: Curve) -> str:
    """Name the picture of a curve."""
    return re.sub(r"[^a-z0-9]+", "-", f"{curve.name} {curve.over}".lower()).strip("-")


def digits(value: float) -> str:
    """Write a number with three digits, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100.0 else f"{value:.3g}"


def show(part: Part) -> None:
    """Print one part."""
    print(part.title, "", *section(part), sep="\n")


def _row(figure: Figure) -> str:
    promised = "–" if figure.most is None else f"≤ {figure.most:g}"
    verdict = "" if figure.most is None else " met" if figure.met else " **not met**"
    spread = "–" if figure.spread is None else f"{figure.spread:.0%}"
    return (
        f"| {figure.name} | {digits(figure.value)} {figure.unit} | {figure.beside} "
        f"| {digits(figure.other)} {figure.unit} | {digits(figure.ratio)} | {promised}{verdict} "
        f"| {figure.repetitions} | {spread} |"
    )


def _facts(facts: Mapping[str, Any]) -> list[str]:
    machine, paces = facts["machine"], facts["paces_ms"]
    versions = ", ".join(f"{name} {one}" for name, one in facts["versions"].items())
    return [
        *(["**A quick run, to see that everything works: its figures mean nothing.**", ""]
          if facts["quick"] else []),
        f"- {facts['date']}, {facts['minutes']:.0f} minutes",
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['kernel']}",
        f"- a piece of work that is always the same took {digits(min(paces))} to "
        f"{digits(max(paces))} ms between the parts: so much slower is the machine at times",
        f"- load average (1 minute) before {facts['load_before']}, after {facts['load_after']}",
        f"- {versions}",
    ]  # fmt: skip


def _since(
    parts: Sequence[Part], facts: Mapping[str, Any], last: Mapping[str, Any] | None
) -> list[str]:
    if last is None:
        return ["There is none to compare with."]
    found = changes(parts, last)
    lines = [f"Ratios beside those of {last['date']}."]
    if last["machine"] != facts["machine"]:
        lines.append("That was another machine: ratios to limits differ for that reason alone.")
    if last["quick"] != facts["quick"]:
        lines.append("One of the two was a quick run.")
    for title, worse in (("Regressions", True), ("Improvements", False)):
        listed = sorted(
            (one for one in found if one.beyond and (one.relative > 0) == worse),
            key=lambda one: -abs(one.relative),
        )
        lines += ["", f"{title} beyond the spread:{'' if listed else ' none.'}", ""]
        lines += [f"- {one.name}: {digits(one.last)} → {digits(one.now)} ({one.relative:+.0%})"
                  for one in listed]  # fmt: skip
    within = [one for one in found if not one.beyond]
    if within:
        most = max(within, key=lambda one: abs(one.relative))
        lines += ["", f"{len(within)} others are within it or were measured once; the largest "
                      f"change among them: {most.name}, {most.relative:+.0%}."]  # fmt: skip
    return lines
