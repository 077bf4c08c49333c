"""The overview: is anything wrong or about to be, and where."""

from __future__ import annotations

from dashboard.address import LAYOUTS
from dashboard.graph.grouping import in_trouble
from dashboard.markup import Node, h, present
from dashboard.text.names import WORST_FIRST, kind_name, status_of
from dashboard.text.numbers import age, number
from dashboard.views import parts
from dashboard.views.scene import Scene
from sre_edge.observation import observed
from sre_edge.v1 import catalog_pb2, snapshot_pb2, topology_pb2

MAX_CARDS = 60


def figures(catalog: catalog_pb2.Catalog) -> list[tuple[str, str, str]]:
    """Title, name and unit of the metrics of a service that are shown without being asked for."""
    return [
        (metric.title, metric.name, metric.unit)
        for metric in catalog.metrics
        if metric.overview and metric.scope == catalog_pb2.METRIC_SCOPE_SERVICE
    ]


def ordered(scene: Scene) -> list[topology_pb2.Service]:
    """Services that the filters let pass: those in trouble first, then as in the topology."""
    if scene.state.topology is None:
        return []
    metrics = scene.metrics
    wanted = [s for s in scene.state.topology.services if scene.address.find.lower() in s.name]
    if scene.address.unhealthy:
        wanted = [s for s in wanted if in_trouble(metrics.get(s.name))]

    def rank(service: topology_pb2.Service) -> tuple[int, int]:
        one = metrics.get(service.name)
        level = one.prediction.risk_level if one and one.HasField("prediction") else 0
        return (WORST_FIRST.index(status_of(one)), -level)

    return sorted(wanted, key=rank)


def services(scene: Scene) -> list[Node]:
    """A card per service with its metrics, its recent latency, and its risk."""
    if scene.snapshot is None:
        return [] if scene.state.connected else [_waiting()]
    wanted = ordered(scene)
    if not wanted:
        text = "is in trouble" if scene.address.unhealthy else "matches this name"
        show_all = h("a", "Show all", href=scene.address.link(unhealthy=False, find=""))
        return [parts.empty(f"No service {text}. ", show_all)]
    metrics = scene.metrics
    faults = {fault.target: kind_name(fault.kind) for fault in scene.snapshot.active_faults}
    lines = _recent(scene, [service.name for service in wanted[:MAX_CARDS]])
    cards = [
        _card(scene, service.name, metrics.get(service.name), faults.get(service.name, ""), lines)
        for service in wanted[:MAX_CARDS]
    ]
    if len(wanted) > MAX_CARDS:
        more = f"{len(wanted) - MAX_CARDS} more with lower risk; narrow the list with Find."
        cards.append(h("p.muted", more, key="more"))
    return cards


def _waiting() -> Node:
    return parts.empty(
        "Waiting for the server; the page updates automatically. Start one with ",
        h("code", "make run"),
    )


def _recent(
    scene: Scene, names: list[str]
) -> dict[str, tuple[list[float | None], list[float | None]]]:
    """Latency and risk of the last snapshots, by service."""
    if scene.replay:
        return {}
    wanted = set(names)
    rows: dict[str, tuple[list[float | None], list[float | None]]] = {n: ([], []) for n in names}
    for snapshot in scene.state.snapshots:
        for one in snapshot.services:
            if one.service in wanted:
                latency, risk = rows[one.service]
                latency.append(observed(one, "latency_ms"))
                known = one.HasField("prediction")
                risk.append(one.prediction.incident_probability if known else None)
    return rows


def _card(
    scene: Scene,
    name: str,
    metrics: snapshot_pb2.ServiceMetrics | None,
    fault: str,
    lines: dict[str, tuple[list[float | None], list[float | None]]],
) -> Node:
    state = "unknown" if scene.stale else status_of(metrics)
    known = metrics is not None and metrics.HasField("prediction") and not scene.stale
    latency, risk = lines.get(name, ([], []))
    old = age(metrics, scene.interval_s)
    return h(
        "a.card",
        h("span.top", h("strong", name), parts.status(state)),
        h(
            "dl.values",
            [
                h(
                    "div",
                    h("dt", label),
                    h("dd", number(observed(metrics, metric), unit), data_metric=metric),
                )
                for label, metric, unit in figures(scene.state.catalog)
            ],
            class_="stale" if scene.stale else None,
        ),
        h("span.line.muted", old) if old else None,
        h(
            "span.lines",
            h("span.line", h("span.muted", "latency"),
              parts.sparkline(latency, label=f"Latency of {name}")),
            h("span.line", h("span.muted", "risk"),
              parts.sparkline(risk, top=1.0, label=f"Risk of {name}", kind="risk-line")),
        ),
        h(
            "span.top",
            h("span", "risk ", parts.risk(metrics.prediction if metrics and known else None)),
            h("span.faulty", f"⚡ {fault}") if fault else None,
        ),
        href=scene.address.link(service=name),
        key=name,
        data_service=name,
        class_="selected" if name == scene.address.service else None,
        aria_current="true" if name == scene.address.service else None,
    )  # fmt: skip


def suggestion(scene: Scene) -> list[Node]:
    """Suggest a first experiment to users who have not run one."""
    if scene.state.records.experiments != [] or scene.replay or scene.snapshot is None:
        return []
    return [
        h(
            "p.hint",
            "Everything is running. See what happens when something breaks: ",
            h("a", "run a first experiment", href=scene.address.link(view="chaos", service="")),
            ".",
        )
    ]


def tools(scene: Scene) -> list[Node]:
    """Find, filter and arrange the graph; all in the address."""
    address = scene.address
    return present(
        h("input", type="search", value=address.find, placeholder="Find a service", id="find",
          aria_label="Find a service", data_query="find"),
        h("label.option", h("input", type="checkbox", checked=address.unhealthy, value="unhealthy",
                            data_query="only", id="only-unhealthy"), h("span", "only unhealthy")),
        h("select", [h("option", name, value=name, selected=name == address.layout)
                     for name in LAYOUTS],
          aria_label="Layout of the graph", data_query="layout", id="layout"),
        h("button.quiet", "Fit", type="button", id="fit", title="Show the whole graph"),
        h("a.button.quiet", "All groups", href=address.link(group="")) if address.group else None,
    )  # fmt: skip
