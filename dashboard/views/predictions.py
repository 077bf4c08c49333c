"""Predictions: services at risk, the model and its quality, and the outcomes of past alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dashboard.markup import Node, action, h, present
from dashboard.text.names import (
    WORST_FIRST,
    alarm_outcome,
    model_origin,
    status_of,
    type_name,
)
from dashboard.text.numbers import MISSING, duration, number, probability
from dashboard.text.times import clock, length, moment
from dashboard.views import markdown, parts
from dashboard.views.scene import Scene
from sre_edge.v1 import (
    alarm_pb2,
    model_pb2,
    prediction_service_pb2,
    snapshot_pb2,
)

MAX_ROWS = 100
MAX_ALARMS = 50
COLUMNS = {
    "service": "Service", "status": "Status", "risk": "Risk", "type": "Most likely",
    "confidence": "Confidence", "cascade": "Cascade risk",
}  # fmt: skip


def risk_table(scene: Scene) -> list[Node]:
    """All services, sorted by the column of the address."""
    if scene.snapshot is None:
        return [parts.skeleton(6)]
    column = scene.address.sort.lstrip("-")
    column = column if column in COLUMNS else "risk"
    downwards = scene.address.sort.startswith("-")
    wanted = [one for one in scene.snapshot.services if scene.address.find.lower() in one.service]
    rows = sorted(wanted, key=lambda one: _sort_key(one, column), reverse=downwards)
    heads = [
        h(
            "th",
            h("a", name, h("span", (" ▼" if downwards else " ▲") if key == column else "",
                           aria_hidden="true"),
              href=scene.address.link(sort=key if key == column and downwards else f"-{key}")),
            scope="col",
            aria_sort=("descending" if downwards else "ascending") if key == column else None,
        )
        for key, name in COLUMNS.items()
    ]  # fmt: skip
    table = h("table", h("thead", h("tr", heads)),
              h("tbody", [_risk_row(scene, one) for one in rows[:MAX_ROWS]]),
              class_="stale" if scene.stale else None)  # fmt: skip
    left = len(rows) - MAX_ROWS
    return present(
        h("div.scroll", table, tabindex="0", role="region", aria_label="Risk of all services"),
        h("p.muted", f"and {left} more; narrow the table with Find.") if left > 0 else None,
    )


def _sort_key(one: snapshot_pb2.ServiceMetrics, column: str) -> tuple[float, str]:
    found = one.prediction
    values = {
        "risk": found.incident_probability,
        "confidence": found.confidence,
        "cascade": found.cascade_risk,
        "status": -float(WORST_FIRST.index(status_of(one))),
        "type": float(found.incident_type),
        "service": 0.0,
    }
    return values[column], one.service


def _risk_row(scene: Scene, one: snapshot_pb2.ServiceMetrics) -> Node:
    known = one.HasField("prediction") and not scene.stale
    found = one.prediction
    kind = type_name(found.incident_type) if known else ""
    percent = 100.0 * found.incident_probability if known else 0.0
    return h(
        "tr",
        h("td", h("a", one.service, href=scene.address.link(service=one.service))),
        h("td", parts.status("unknown" if scene.stale else status_of(one))),
        h("td", parts.risk(found if known else None), h(
            "span.meter", h("span.meter-bar.risk-fill", style=f"width:{percent:.0f}%"),
            aria_hidden="true",
        )),
        h("td", kind or MISSING),
        h("td.number", probability(found.confidence) if kind else MISSING),
        h("td.number", probability(found.cascade_risk) if known else MISSING),
        key=one.service,
    )  # fmt: skip


def description(scene: Scene, answer: prediction_service_pb2.GetModelResponse | None) -> list[Node]:
    """The model in use, or the one of the address: figures and card."""
    if answer is None:
        return [parts.skeleton(5)]
    model = answer.model
    active = any(
        one.active and one.version == model.version for one in scene.state.records.models or ()
    )
    heading = "Model in use" if active else "Model"
    scores = model.scores
    figures = [
        ("Incidents foreseen", _share(scores, "event_recall"), "Share of all incidents"),
        ("Foreseeable ones foreseen", _share(scores, "foreseeable_recall"),
         "Share of the incidents that could be foreseen"),
        ("Alarms that were right", _share(scores, "event_precision"), ""),
        ("Median lead", length(scores.median_lead) if scores.HasField("median_lead") else MISSING,
         "From alarm to onset"),
        ("Brier skill", _figure(scores, "brier_skill"), "Share of the variance explained"),
        ("Calibration error", _share(scores, "calibration_error"), ""),
        ("Alarm threshold", probability(model.alarm_threshold), ""),
        ("Inputs", str(model.feature_count), ""),
    ]  # fmt: skip
    basis = (
        f"Measured on {scores.episodes} simulated episodes with {scores.incidents} incidents, on "
        "systems that the model never saw."
    )
    return [
        h("div.heading", h("h2", heading), h("code", model.version),
          h("span.muted", model_origin(model.origin)),
          None if active
          else h("a.push", "Show the one in use", href=scene.address.link(model=""))),
        h("dl.facts", [parts.fact(name, value, says) for name, value, says in figures]),
        h("p.muted", basis if model.HasField("scores") else "Its quality is not known."),
        h("details", h("summary", "Model card"), h("div.card-text", markdown.nodes(answer.card))),
    ]  # fmt: skip


def _share(scores: model_pb2.ModelScores, field: str) -> str:
    if not scores.HasField(field):  # type: ignore[arg-type]
        return MISSING
    return number(100.0 * getattr(scores, field), "%")


def _figure(scores: model_pb2.ModelScores, field: str) -> str:
    return f"{getattr(scores, field):.2f}" if scores.HasField(field) else MISSING  # type: ignore[arg-type]


def models(scene: Scene) -> list[Node]:
    """All models, to look at and to make live."""
    return parts.listing(
        scene.state.records, "models", lambda some: [_models(scene, some)],
        scene.state.records.models, parts.empty("There is no model."),
    )  # fmt: skip


def _models(scene: Scene, some: Sequence[model_pb2.Model]) -> Node:
    rows = []
    live = next((model.version for model in some if model.active), "")
    for model in some:
        button = h(
            "button.quiet", "Activate", type="button", **action("activate", version=model.version),
            disabled=bool(model.problem) or not scene.state.connected,
            aria_label=f"Activate {model.version}",
            data_confirm=f"Make {model.version} live instead of {live}? It predicts for everyone "
                         "from the next tick on. You can roll back at any time.",
        )  # fmt: skip
        rows.append(h(
            "tr",
            h("td", h("a", model.version, href=scene.address.link(model=model.version)),
              h("p.problem-text", model.problem) if model.problem else None),
            h("td", model_origin(model.origin)),
            h("td", _made(model)),
            h("td.number", _share(model.scores, "foreseeable_recall")),
            h("td.number", _share(model.scores, "event_precision")),
            h("td", h("strong.live", "● in use") if model.active else button),
            key=model.version,
        ))  # fmt: skip
    heads = ("Version", "Origin", "Created", "Foreseen", "Right alarms", "")
    return h(
        "div.scroll",
        h("table", h("thead", h("tr", [
            h("th", head or h("span.unseen", "Use"), scope="col") for head in heads
        ])), h("tbody", rows)),
        tabindex="0", role="region", aria_label="Models",
    )  # fmt: skip


def _made(model: model_pb2.Model) -> Node | str:
    return clock(moment(model.create_time), "full") if model.HasField("create_time") else MISSING


def alarms(scene: Scene) -> list[Node]:
    """Outcomes of past alarms."""
    return parts.listing(
        scene.state.records, "alarms", lambda some: _alarms(scene, some),
        scene.state.records.alarms, parts.empty("No alarm has been raised yet."),
    )  # fmt: skip


def _alarms(scene: Scene, some: Sequence[alarm_pb2.Alarm]) -> list[Node]:
    counts = Counter(alarm_outcome(alarm.outcome) for alarm in some)
    summary = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    rows = [_alarm(scene, alarm) for alarm in some[:MAX_ALARMS]]
    heads = ("Raised", "Service", "Probability", "Expected", "Outcome", "Lead")
    table = h("table", h("thead", h("tr", [h("th", head, scope="col") for head in heads])),
              h("tbody", rows))  # fmt: skip
    return [
        h("p", f"Outcomes of the last {len(some)} alarms: {summary}."),
        h("div.scroll", table, tabindex="0", role="region", aria_label="Past alarms"),
    ]


def _alarm(scene: Scene, alarm: alarm_pb2.Alarm) -> Node:
    when: Node = clock(moment(alarm.raise_time))
    if alarm.run_id == scene.state.run_id:
        href = scene.address.link(
            view="overview", service=alarm.service, at=moment(alarm.raise_time)
        )
        when = h("a", when, href=href)
    lead = MISSING
    if alarm.HasField("lead"):
        lead = f"{duration(alarm.lead.ToTimedelta().total_seconds())} ahead"
    outcome = alarm_outcome(alarm.outcome)
    mark = {"foretold": "✓", "false": "✗", "pending": "…", "late": "◷"}.get(outcome, "–")
    return h(
        "tr",
        h("td", when),
        h("td", alarm.service),
        h("td.number", probability(alarm.probability)),
        h("td", type_name(alarm.incident_type) or MISSING),
        h("td", h(f"span.outcome-{outcome.replace(' ', '-')}", f"{mark} {outcome}")),
        h("td.number", lead),
        key=alarm.id,
    )  # fmt: skip
