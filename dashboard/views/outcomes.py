"""What came of experiments: the finished ones, and some side by side."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.markup import Node, action, h
from dashboard.views import parts
from dashboard.views.scene import Scene
from dashboard.words import faults
from dashboard.words.names import experiment_state
from dashboard.words.numbers import MISSING, duration, number
from dashboard.words.times import clock, length, moment
from sre_edge.v1 import experiment_pb2

MOST_ROWS = 50
MOST_COMPARED = 4


def finished(scene: Scene) -> list[Node]:
    """Experiments that are over, with what came of them."""
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
        records, "experiments", lambda some: [_table(scene, some[:MOST_ROWS])], over,
        parts.empty("No experiment is finished yet. Its outcome comes here: what broke, in which "
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
    told, compared = one.outcome, scene.address.compare
    picked = one.id in compared
    rest = tuple(other for other in compared if other != one.id)
    changed = rest if picked else (*rest, one.id)[-MOST_COMPARED:]
    box = h(
        "a.pick", "☑" if picked else "☐", href=scene.address.link(compare=changed),
        aria_label=f"{'Do not compare' if picked else 'Compare'} {one.name}",
    )  # fmt: skip
    return h(
        "tr",
        h("td", box),
        h("td", h("a", one.name, href=scene.address.link(compare=(one.id,)))),
        h("td", _moment(scene, one)),
        h("td.number", str(told.broken) if told.broken else "nothing"),
        h("td.number", _length(told, "time_to_first_alarm")),
        h("td.number", _foretold(told) if told.broken else MISSING),
        h("td.number", _length(told, "time_to_recover")),
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


def _length(told: experiment_pb2.ExperimentOutcome, field: str) -> str:
    return length(getattr(told, field)) if told.HasField(field) else MISSING  # type: ignore[arg-type]


def _foretold(told: experiment_pb2.ExperimentOutcome | experiment_pb2.Breakage) -> str:
    return f"{length(told.lead)} ahead" if told.HasField("lead") else "no"


def compared(scene: Scene, found: Sequence[experiment_pb2.Experiment]) -> list[Node]:
    """Outcomes side by side."""
    if not found:
        return []
    return [
        h("div.heading", h("h2", "Outcome" if len(found) == 1 else "Outcomes side by side"),
          h("a.button.quiet.push", "Close", href=scene.address.link(compare=()))),
        h("div.columns", [_outcome(scene, one) for one in found]),
    ]  # fmt: skip


def _outcome(scene: Scene, one: experiment_pb2.Experiment) -> Node:
    told = one.outcome
    start = moment(one.start_time)
    broke = [
        h(
            "li",
            h("a", item.service, href=scene.address.link(service=item.service)),
            f" after {duration((moment(item.onset_time) - start).total_seconds())}",
            h("span.muted", f", foretold: {_foretold(item)}"),
            "" if item.recovered else ", goes on",
            key=str(i),
        )
        for i, item in enumerate(told.broke)
    ]  # fmt: skip
    return h(
        "article.outcome",
        h("h3", one.name),
        h("p.muted", experiment_state(one.state), " · began ", _moment(scene, one)),
        h("ul.plain", [
            h("li.faulty", f"⚡ {described}, {length(fault.duration)}")
            for fault in one.faults
            for described in [faults.described(scene.state.catalog, fault)]
        ]),
        h("dl.facts",
          parts.fact("First alarm after", _length(told, "time_to_first_alarm")),
          parts.fact("Foretold", _foretold(told)),
          parts.fact("Recovered after", _length(told, "time_to_recover")),
          parts.fact("Error budget spent", number(100.0 * told.error_budget_spent, "%"),
                     "Of a whole period, of the service that spent most")),
        h("h4", "What broke, in order"),
        h("ol.broke", broke) if broke else parts.empty("Nothing broke."),
        key=one.id,
    )  # fmt: skip
