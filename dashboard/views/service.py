"""One service: its prediction, the reasons, advice, and its dependencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from dashboard.figures import service_charts
from dashboard.figures.service_charts import History, Notes
from dashboard.figures.theme import Figure
from dashboard.markup import Node, h, present
from dashboard.text.names import kind_name, service_kind, status_of, type_name
from dashboard.text.numbers import MISSING, age, number, probability
from dashboard.text.times import length, moment
from dashboard.views import parts, slos
from dashboard.views.overview import figures
from dashboard.views.scene import Scene
from sre_edge import SreEdgeError
from sre_edge.observation import observed
from sre_edge.v1 import (
    analysis_pb2,
    prediction_pb2,
    prediction_service_pb2,
    snapshot_pb2,
    topology_pb2,
)

MAX_FACTORS = 6
MAX_NEIGHBOURS = 30


def head(scene: Scene, service: topology_pb2.Service) -> list[Node]:
    """Name, kind, status, risk, and the six metrics now."""
    metrics = scene.metrics.get(service.name)
    state = "unknown" if scene.stale else status_of(metrics)
    whole = scene.address.view == "service"
    replicas = f"{service.replicas} replica{'' if service.replicas == 1 else 's'}"
    facts = (service_kind(service.kind), replicas, age(metrics, scene.interval_s))
    return [
        h(
            "div.heading",
            h("h2", service.name, id="service-name", tabindex="-1"),
            parts.status(state),
            h(
                "span.push",
                None if whole
                else h("a.button.quiet", "Page",
                       href=scene.address.link(view="service", service=service.name)),
                h("a.button.quiet.icon", "×", aria_label="Close", title="Close (Esc)",
                  id="close-panel",
                  href=scene.address.link(view="overview" if whole else scene.address.view,
                                          service="")),
            ),
        ),
        h("p.muted", " · ".join(filter(None, facts))),
        _risk(scene, metrics),
        h(
            "dl.facts",
            [
                parts.fact(label, number(observed(metrics, metric), unit))
                for label, metric, unit in figures(scene.state.catalog)
            ],
            class_="stale" if scene.stale else None,
        ),
        *_acting(scene, service.name),
    ]  # fmt: skip


def _risk(scene: Scene, metrics: snapshot_pb2.ServiceMetrics | None) -> Node:
    if metrics is None or not metrics.HasField("prediction") or scene.stale:
        return h("p.lead", "No prediction yet.")
    found = metrics.prediction
    if found.incident_probability >= 1.0:
        return h("p.lead", h("strong.risk.critical", "An incident is ongoing."))
    return h(
        "p.lead",
        parts.risk(found),
        f" risk of an incident within {length(found.horizon)}",
    )


def _acting(scene: Scene, name: str) -> list[Node]:
    faults = scene.snapshot.active_faults if scene.snapshot else ()
    return [
        h("p.faulty", f"⚡ {kind_name(fault.kind)} acts on {fault.target}", key=fault.id)
        for fault in faults
        if fault.target == name or name in fault.target.split("->")
    ]


def figure(scene: Scene, service: topology_pb2.Service) -> Figure | None:
    """Charts over the chosen range; None if they cannot be had now."""
    if scene.span is None:
        return None
    panels = service_charts.panels(scene.state.catalog)
    try:
        answer = scene.provider.history(service.name, [p.metric for p in panels], *scene.span)
    except SreEdgeError:
        return None
    history = History()
    if answer.HasField("start_time"):
        start = moment(answer.start_time)
        history = service_charts.to_history(panels, answer.series, start, answer.bucket_seconds)
    notes = _notes(scene, service.name, *scene.span)
    return service_charts.charts(panels, history, service, notes, scene.span, scene.threshold)


def _notes(scene: Scene, name: str, begin: datetime, end: datetime) -> Notes:

    def clipped(start: datetime, stop: datetime) -> tuple[datetime, datetime]:
        return max(start, begin), min(stop, end)

    own: list[tuple[datetime, datetime]] = []
    other: list[tuple[datetime, datetime]] = []
    for _, fault in scene.faults():
        spans = own if name in fault.target.split("->") else other
        spans.append(clipped(moment(fault.start_time), moment(fault.end_time)))
    onsets = [
        moment(one.onset_time)
        for incident in scene.incidents(name)
        for one in incident.services
        if one.service == name and begin <= moment(one.onset_time) <= end
    ]
    alarms = [moment(alarm.raise_time) for alarm in scene.alarms(name)]
    return Notes(own, other, alarms, onsets)


def body(scene: Scene, service: topology_pb2.Service) -> list[Node]:
    """Everything below the charts."""
    now = [] if scene.replay else present(_why(scene, service), _analysis(scene, service))
    return [
        *now,
        _neighbours(scene, "Depends on", [call.service for call in service.dependencies],
                    "It calls no other service."),
        _neighbours(scene, "Called by", _callers(scene, service.name), "Only users call it."),
        h("section", h("h3", "Error budgets"), *slos.of_service(scene, service.name)),
    ]  # fmt: skip


def _why(scene: Scene, service: topology_pb2.Service) -> Node:
    """Predicted type, confidence, top factors and recommendations."""
    heading = h("h3", "What is likely, why, and what to do")
    try:
        found = scene.provider.explain(service.name)
    except SreEdgeError as error:
        return h("section", heading, parts.empty(f"{str(error).capitalize()}."), key="why")
    kind = type_name(found.incident_type)
    likely = (
        h("p", "Most likely: ", h("strong", kind), f", {probability(found.confidence)} confidence")
        if kind
        else parts.empty("The risk is low: the model expects no particular type of incident.")
    )  # fmt: skip
    advice = [h("li", one.action) for one in found.recommendations]
    return h(
        "section",
        heading,
        likely,
        h("ol.advice", advice) if advice else None,
        _factors(found.top_factors),
        h(
            "details",
            h("summary", "Inputs of the model"),
            h("dl.features", [
                h("div", h("dt", name), h("dd", f"{found.features[name]:.4g}"))
                for name in sorted(found.features)
            ]),
        ),
        key="why",
    )  # fmt: skip


def _factors(factors: Sequence[prediction_pb2.Factor]) -> Node | None:
    """Draw the strongest reasons as bars of what each adds to the log-odds."""
    strongest = list(factors)[:MAX_FACTORS]
    if not strongest:
        return None
    largest = max(abs(one.contribution) for one in strongest) or 1.0
    return h(
        "ul.factors",
        [
            h(
                "li",
                h("span", one.description),
                h("span.factor", h("span.factor-bar", style=_width(one.contribution / largest))),
                h("span.muted", f"{one.contribution:+.2g}", title="Added to the log-odds"),
            )
            for one in strongest
        ],
        aria_label="Strongest reasons",
    )  # fmt: skip


def _width(share: float) -> str:
    return f"width:{100.0 * abs(share):.0f}%"


def _analysis(scene: Scene, service: topology_pb2.Service) -> Node | None:
    """Health, cascade risk, what is unusual, and the critical paths that lead through it."""
    try:
        found = scene.provider.analysis(service.name)
    except SreEdgeError:
        return None
    one = next(iter(found.services), None)
    if one is None:
        return None
    below = one.dependency_health if one.HasField("dependency_health") else None
    return h(
        "section",
        h("h3", "Analysis"),
        h(
            "dl.facts",
            parts.fact("Health", _percent(one.health)),
            parts.fact("Health of dependencies", _percent(below)),
            parts.fact("Cascade risk", probability(one.cascade_risk),
                       "Probability that an incident here causes one at an entry within a minute"),
        ),
        *_unusual(found),
        *_paths(scene, found.critical_paths, service.name),
        key="analysis",
    )  # fmt: skip


def _percent(share: float | None) -> str:
    return MISSING if share is None or math.isnan(share) else f"{100 * share:.0f} %"


def _unusual(found: prediction_service_pb2.GetAnalysisResponse) -> list[Node]:
    return [
        h("p", f"Unusual: {one.metric.rsplit('_', 1)[0].replace('_', ' ')} is {one.value:.3g}, "
               f"the usual value is {one.expected:.3g} ({one.deviations:+.0f} σ).")
        for one in found.anomalies
    ]  # fmt: skip


def _paths(scene: Scene, paths: Sequence[analysis_pb2.CriticalPath], name: str) -> list[Node]:
    through = [path for path in paths if any(hop.service == name for hop in path.hops)]
    if not through:
        return [h("p.muted", "It is on no critical path now.")]
    return [
        h(
            "p.path",
            h("span.muted", f"Critical path of {path.entry}, {number(path.latency_ms, 'ms')}: "),
            [
                h("span.hop", h("a", hop.service, href=scene.address.link(service=hop.service)),
                  f" {100 * hop.share:.0f} %")
                for hop in path.hops
            ],
        )
        for path in through
    ]  # fmt: skip


def _callers(scene: Scene, name: str) -> list[str]:
    services = scene.state.topology.services if scene.state.topology else ()
    return [s.name for s in services if any(call.service == name for call in s.dependencies)]


def _neighbours(scene: Scene, heading: str, names: list[str], nothing: str) -> Node:
    metrics = scene.metrics
    rows = [
        h(
            "li",
            h("a", name, href=scene.address.link(service=name)),
            parts.status("unknown" if scene.stale else status_of(metrics.get(name))),
            parts.risk(metrics[name].prediction if name in metrics and not scene.stale else None),
            key=name,
        )
        for name in names[:MAX_NEIGHBOURS]
    ]
    if len(names) > MAX_NEIGHBOURS:
        rows.append(h("li.muted", f"and {len(names) - MAX_NEIGHBOURS} more", key="more"))
    drawn = h("ul.neighbours", rows) if rows else parts.empty(nothing)
    return h("section", h("h3", heading), drawn, key=heading)


def unknown(scene: Scene) -> list[Node]:
    """Say that the service of a link is not there."""
    return [
        h("h2", scene.address.service),
        parts.empty(
            "This system has no such service. ",
            h("a", "Back to the overview", href=scene.address.link(view="overview", service="")),
        ),
    ]
