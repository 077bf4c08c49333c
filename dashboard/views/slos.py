"""Objectives, their remaining error budgets, and burn rates."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.markup import Node, h
from dashboard.text.names import objective_name, severity_name
from dashboard.text.numbers import duration, number
from dashboard.text.times import seconds
from dashboard.views import parts
from dashboard.views.scene import Scene
from sre_edge.v1 import incident_service_pb2, slo_pb2

MAX_SERVICES = 100
UNITS = {
    slo_pb2.OBJECTIVE_LATENCY: ("p95 at most", "ms"),
    slo_pb2.OBJECTIVE_ERROR_RATE: ("at most", "%"),
    slo_pb2.OBJECTIVE_AVAILABILITY: ("at least", "%"),
    slo_pb2.OBJECTIVE_THROUGHPUT: ("at least", "req/s"),
}


def of_service(scene: Scene, name: str) -> list[Node]:
    """Budgets of one service."""
    return _drawn(scene, lambda service: service == name, named=False)


def table(scene: Scene) -> list[Node]:
    """Budgets of all services, those of the filter only."""
    return _drawn(scene, lambda service: scene.address.of in ("", service), named=True)


def _drawn(scene: Scene, wanted: Callable[[str], bool], *, named: bool) -> list[Node]:
    records = scene.state.records
    found: list[Node] = []
    if "slos" in records.problems:
        found.append(parts.problem(records.problems["slos"], "slos"))
    answer = records.slos
    if answer is None:
        return found or [parts.skeleton()]
    rows = [
        _row(
            scene,
            service.service,
            one,
            answer,
            named=named,
            rows=len(service.objectives) if one == service.objectives[0] else 0,
        )
        for service in answer.services[: MAX_SERVICES if named else None]
        if wanted(service.service)
        for one in service.objectives
    ]
    if not rows:
        return [*found, parts.empty("No objectives are known for it.")]
    windows = [f"Burn, {duration(seconds(policy.long_window))}" for policy in answer.policies]
    heads = [*(["Service"] if named else []), "Objective", "Budget left", *windows, "Alert"]
    period = duration(seconds(answer.budget_period))
    note = (
        f"Budgets are for {period} of simulated time; a burn rate of 1 spends exactly the whole "
        "budget."
    )
    return [
        *found,
        h(
            "div.scroll",
            h("table", h("thead", h("tr", [h("th", head, scope="col") for head in heads])),
              h("tbody", rows)),
            tabindex="0", role="region", aria_label="Error budgets",
        ),
        h("p.muted", note),
    ]  # fmt: skip


def _row(
    scene: Scene,
    service: str,
    one: slo_pb2.SloStatus,
    answer: incident_service_pb2.ListSlosResponse,
    *,
    named: bool,
    rows: int,
) -> Node:
    says, unit = UNITS.get(one.objective, ("", ""))
    left = max(min(one.budget_left, 1.0), 0.0)
    level = "low" if one.budget_left > 0.5 else "medium" if one.budget_left > 0.0 else "critical"
    alerts = [f"{severity_name(alert.severity)}" for alert in one.alerts if alert.firing]
    limits = [policy.burn_rate for policy in answer.policies]
    return h(
        "tr",
        h("th", h("a", service, href=scene.address.link(service=service)), scope="rowgroup",
          rowspan=str(rows)) if named and rows else None,
        h("td", objective_name(one.objective),
          h("span.muted", f" {says} {one.target:g}\N{NO-BREAK SPACE}{unit}")),
        h(
            "td.number",
            h("span", number(100.0 * one.budget_left, "%")),
            h("span.meter", h(f"span.meter-bar.{level}", style=f"width:{100 * left:.0f}%"),
              aria_hidden="true"),
        ),
        [
            h("td.number", number(burn.long, "×"), class_="hot" if burn.long >= limit else None)
            for burn, limit in zip(one.burn_rates, limits, strict=False)
        ],
        h("td", h("strong.risk.critical", f"⚠ {', '.join(alerts)}") if alerts else "–"),
        key=f"{service}/{one.objective}",
    )  # fmt: skip
