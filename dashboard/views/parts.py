"""Parts that several views draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dashboard.markup import Node, action, h
from dashboard.source.state import Records
from dashboard.text.names import MARKS, level_name
from dashboard.text.numbers import MISSING, probability
from sre_edge.v1 import prediction_pb2

Item = TypeVar("Item")


def status(name: str) -> Node:
    """A status: mark, colour and word."""
    return h(f"span.status.{name}", h("span", MARKS[name], aria_hidden="true"), f" {name}")


def risk(prediction: prediction_pb2.Prediction | None) -> Node:
    """A risk: percent, colour and word."""
    if prediction is None:
        return h("span.risk", MISSING)
    level = level_name(prediction.risk_level)
    return h(f"span.risk.{level}", f"{probability(prediction.incident_probability)} {level}")


def empty(*children: Node | str) -> Node:
    """One sentence that says what is missing, and what will fill it."""
    return h("p.empty", *children)


def skeleton(rows: int = 3) -> Node:
    """Placeholder until the first answer, about as large as it."""
    bars = [h("span.bone") for _ in range(rows)]
    return h("div.skeleton", bars, role="status", aria_label="Loading")


def problem(message: str, *retry: str) -> Node:
    """What failed, and a way to try again."""
    return h(
        "div.problem",
        h("p", message),
        h("button.quiet", "Try again", type="button", **action("refresh", names=",".join(retry))),
        role="alert",
    )


def listing(
    records: Records,
    name: str,
    draw: Callable[[Sequence[Item]], list[Node]],
    items: Sequence[Item] | None,
    nothing: Node,
) -> list[Node]:
    """Draw a list of records in whatever state it is: loading, failed, empty, or there."""
    drawn: list[Node] = []
    if name in records.problems:
        drawn.append(problem(records.problems[name], name))
    if items is None:
        return drawn or [skeleton()]
    return drawn + (draw(items) if items else [nothing])


def fact(name: str, value: Node | str, title: str = "") -> Node:
    """One name and its value, for a description list."""
    return h("div.fact", h("dt", name), h("dd", value), title=title or None)


def sparkline(
    values: Sequence[float | None], *, top: float | None = None, label: str = "", kind: str = ""
) -> Node:
    """Draw a line without axes; a gap in the data is a gap.

    Parameters
    ----------
    values
        Oldest first; None where nothing was observed.
    top
        Value at the upper edge; None: the largest value.
    label
        Text for screen readers.
    """
    known = [value for value in values if value is not None]
    largest = top or max(known, default=0.0) or 1.0
    step = 100.0 / max(len(values) - 1, 1)
    path, pen_up = [], True
    for i, value in enumerate(values):
        if value is None:
            pen_up = True
            continue
        y = 23.0 - 22.0 * min(value / largest, 1.0)
        path.append(f"{'M' if pen_up else 'L'}{i * step:.1f} {y:.1f}")
        pen_up = False
    return h(
        "svg.spark", h("path", d="".join(path)), viewBox="0 0 100 24", preserveAspectRatio="none",
        role="img", aria_label=label, class_=kind or None,
    )  # fmt: skip
