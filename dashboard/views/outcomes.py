"""Outcomes of experiments: the finished ones, and some side by side."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.markup import Node, action, h
from dashboard.text import faults
from dashboard.text.numbers import MISSING, duration, number
from dashboard.text.times import clock, length, moment
from dashboard.views import parts
from dashboard.views.scene import Scene
from sre_edge import outcomes
from sre_edge.v1 import experiment_pb2

MAX_ROWS = 50
MAX_COMPARED = 4


def finished(scene: Scene) -> list[Node]:
    """Experiments that are over, with their outcomes."""
    records = scene.state.records
    over = None
    if records.experiments is not None:
        over = [
            one
            for one in records.experiments
            if one.state == experiment_pb2.EXPERIMENT_STATE_FINISHED
            or one.run_id != scene.state.run_id
        ]
    return parts.listing(
        records, "experiments", lambda some: [_table(scene, some[:MAX_ROWS])], over,
        parts.empty("No experiment has finished yet. Outcomes appear here: what broke, in which "
                    "order, and whether it was foretold."),
    )  # fmt: skip


def _table(scene: Scene, some: Sequence[experiment_pb2.Experiment]) -> Node:
    heads = ("", "Experiment", "Began", "Broke", "First alarm", "Foretold", "Recovered after", "")
    return h(
        "div.scroll",
        h("table",
          h("thead", h("tr", [
              h("th", head or h("span.unseen", "Compare" if not i else "Save"), scope="col")
              for i, head in enumerate(heads)
          ])),
          h("tbody", [_row(scene, one) for one in some])),
        tabindex="0", role="region", aria_label="Finished experiments",
    )  # fmt: skip


def _row(scene: Scene, one: experiment_pb2.Experiment) -> Node:
    outcome, compared = one.outcome, scene.address.compare
    picked = one.id in compared
    rest = tuple(other for other in compared if other != one.id)
    changed = rest if picked else (*rest, one.id)[-MAX_COMPARED:]
    box = h(
        "a.pick", "☑" if picked else "☐", href=scene.address.link(compare=changed),
        aria_label=f"{'Do not compare' if picked else 'Compare'} {one.name}",
    )  # fmt: skip
    return h(
        "tr",
        h("td", box),
        h("td", h("a", one.name, href=scene.address.link(compare=(one.id,)))),
        h("td", _moment(scene, one)),
        h("td.number", outcomes.broken(one)),
        h("td.number", _length(outcome, "time_to_first_alarm")),
        h("td.number", _foretold(outcome) if outcome.broken else MISSING),
        h("td.number", _length(outcome, "time_to_recover")),
        h("td", h("button.quiet", "Save", type="button", title="Save as a scenario file",
                  **action("save-experiment", experiment=one.id), aria_label=f"Save {one.name}")),
        key=one.id,
    )  # fmt: skip


def _moment(scene: Scene, one: experiment_pb2.Experiment) -> Node:
    """When it began; a link to that moment if it is of this run."""
    if one.run_id != scene.state.run_id:
        return h("span", clock(moment(one.start_time)), " (earlier run)")
    href = scene.address.link(view="overview", at=moment(one.start_time))
    return h("a", clock(moment(one.start_time)), href=href)


def _length(outcome: experiment_pb2.ExperimentOutcome, field: str) -> str:
    return length(getattr(outcome, field)) if outcome.HasField(field) else MISSING  # type: ignore[arg-type]


def _foretold(outcome: experiment_pb2.ExperimentOutcome | experiment_pb2.Breakage) -> str:
    return f"{length(outcome.lead)} ahead" if outcome.HasField("lead") else "no"


def compared(scene: Scene, found: Sequence[experiment_pb2.Experiment]) -> list[Node]:
    """Outcomes side by side."""
    if not found:
        return []
    return [
        h("div.heading", h("h2", "Outcome" if len(found) == 1 else "Outcomes side by side"),
          h("a.button.quiet.push", "Close", href=scene.address.link(compare=()))),
        h("div.columns", [_outcome(scene, one) for one in found]),
    ]  # fmt: skip


def _also_under(scene: Scene, item: experiment_pb2.Breakage) -> Node | str:
    """Link the other experiments that may have broken a service as well; "" if there are none."""
    if not item.also_under:
        return ""
    links = [h("a", other, href=scene.address.link(compare=(other,))) for other in item.also_under]
    return h(
        "span", ", also under ", links[0], *[part for link in links[1:] for part in (", ", link)]
    )


def _outcome(scene: Scene, one: experiment_pb2.Experiment) -> Node:
    outcome = one.outcome
    start = moment(one.start_time)
    broke = [
        h(
            "li",
            h("a", item.service, href=scene.address.link(service=item.service)),
            f" after {duration((moment(item.onset_time) - start).total_seconds())}",
            h("span.muted", f", foretold: {_foretold(item)}"),
            "" if item.recovered else ", ongoing",
            _also_under(scene, item),
            key=str(i),
        )
        for i, item in enumerate(outcome.broke)
    ]  # fmt: skip
    return h(
        "article.outcome",
        h("h3", one.name),
        h("p.muted", outcomes.state(one).capitalize(), " · began ", _moment(scene, one)),
        h("ul.plain", [
            h("li.faulty", f"⚡ {description}, {length(fault.duration)}")
            for fault in one.faults
            for description in [faults.description(scene.state.catalog, fault)]
        ]),
        h("dl.facts",
          parts.fact("First alarm after", _length(outcome, "time_to_first_alarm")),
          parts.fact("Foretold", _foretold(outcome)),
          parts.fact("Recovered after", _length(outcome, "time_to_recover")),
          parts.fact("Error budget spent", number(100.0 * outcome.error_budget_spent, "%"),
                     "Largest share of a whole period that one service spent")),
        h("h4", "What broke, in order"),
        h("ol.broke", broke) if broke else parts.empty(f"Broke: {outcomes.broken(one)}."),
        h("p.muted", "Its run ended first: this was seen until then.")
        if outcomes.cut_short(one) else "",
        key=one.id,
    )  # fmt: skip
