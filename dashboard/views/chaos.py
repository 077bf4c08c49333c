"""Chaos: what to break, and what breaks now."""

from __future__ import annotations

import math

from dashboard.markup import Node, action, h
from dashboard.text import faults
from dashboard.text.names import kind_key
from dashboard.text.numbers import duration
from dashboard.text.times import length, moment, seconds
from dashboard.views import parts
from dashboard.views.scene import Scene
from sre_edge.v1 import experiment_pb2, fault_pb2

RING = 2.0 * math.pi * 16.0


def form(scene: Scene) -> list[Node]:
    """Targets, faults and their strength. What is typed in stays in the browser."""
    topology = scene.state.topology
    if topology is None:
        return [parts.skeleton(6)]
    names = [service.name for service in topology.services]
    calls = [f"{s.name}->{call.service}" for s in topology.services for call in s.dependencies]
    catalog = scene.state.catalog
    longest_s = faults.max_duration_s(catalog)
    blocked = not scene.state.connected
    chosen = scene.address.service or ("database" if "database" in names else names[0])
    return [
        h(
            "form",
            h("fieldset", h("legend", "Targets"),
              h("input", type="search", placeholder="Filter", aria_label="Filter targets",
                data_filter="#chaos-targets") if len(names) > 8 else None,
              h("div.options", [_option("target", n, n, checked=n == chosen) for n in names],
                id="chaos-targets"),
              h("details", h("summary", "One connection only (network partition)"),
                h("div.options", [_option("target", c, c.replace("->", " → ")) for c in calls]))),
            h("fieldset", h("legend", "Faults"),
              h("div.options", [
                  _option("kind", kind_key(kind), name,
                          checked=kind == fault_pb2.FAULT_KIND_SERVICE_KILL)
                  for kind, name in faults.kinds(catalog)
              ], id="chaos-kinds")),
            h("div.fields",
              _number("Intensity", "intensity", 1, 0.1, faults.max_intensity(catalog),
                      "1 is usual"),
              _number("Duration, s", "duration", 60, 1, longest_s, "Simulated time, ramp included"),
              _number("Ramp, s", "ramp", 0, 0, longest_s, "Until its full strength"),
              _number("Replicas, %", "share", 100, 1, 100, "Share of the replicas it acts on")),
            h("p.muted", faults.summary(catalog, ["service_kill"], 1.0), id="chaos-effect",
              aria_live="polite", data_filled=True),
            h("div.actions",
              h("button.quiet", "Save as file", type="submit", name="do", value="save"),
              h("button.chaos", "Inject", type="submit", id="inject", disabled=blocked,
                name="do", value="inject")),
            h("p.message", id="chaos-message", role="status", data_filled=True),
            id="chaos-form", data_action="inject", data_preview="effect",
            data_message="chaos-message", novalidate=True, key="form",
        ),
        h(
            "details",
            h("summary", "Run a scenario file"),
            h(
                "form",
                h("label.field", h("span", "File"),
                  h("input", type="file", accept=".yaml,.yml,.json", data_load="scenario-text")),
                h("label.field", h("span", "Scenario, YAML or JSON"),
                  h("textarea", name="document", id="scenario-text", rows="8", spellcheck="false")),
                h("div.actions",
                  h("button.quiet", "Save as file", type="submit", name="do",
                    value="save-document"),
                  h("button.chaos", "Run", type="submit", disabled=blocked, name="do",
                    value="run-scenario")),
                h("p.message", id="scenario-message", role="status", data_filled=True),
                id="scenario-form", data_action="run-scenario", data_message="scenario-message",
            ),
            key="scenario",
        ),
    ]  # fmt: skip


def _option(name: str, value: str, text: str, *, checked: bool = False) -> Node:
    box = h("input", type="checkbox", name=name, value=value, checked=checked)
    return h("label.option", box, h("span", text), key=value)


def _number(label: str, name: str, value: float, minimum: float, maximum: float, says: str) -> Node:
    return h(
        "label.field",
        h("span", label),
        h("input", type="number", name=name, value=f"{value:g}", min=f"{minimum:g}",
          max=f"{maximum:g}", step="any", title=says, inputmode="decimal"),
    )  # fmt: skip


def kill_switch(scene: Scene) -> list[Node]:
    """Stop everything; always there."""
    on = scene.state.latest is not None and scene.state.latest.kill_switch
    blocked = not scene.state.connected
    if on:
        return [
            h("button.danger.on", "Kill switch is on: lift it", type="button", disabled=blocked,
              id="kill-switch", **action("lift"),
              data_confirm="Lift the kill switch? Faults are accepted again, from everyone.")
        ]  # fmt: skip
    return [
        h("button.danger", "Kill switch", type="button", disabled=blocked, id="kill-switch",
          title="End all faults, and accept no new ones", **action("kill"),
          data_confirm="Engage the kill switch? All faults end at once, and no new ones are "
                       "accepted from anyone until somebody lifts it.")
    ]  # fmt: skip


def running(scene: Scene) -> list[Node]:
    """Experiments that are not finished, with the time that is left and a way to stop them."""
    records = scene.state.records
    going: list[experiment_pb2.Experiment] | None = None
    if records.experiments is not None:
        going = [
            one
            for one in records.experiments
            if one.run_id == scene.state.run_id
            and one.state != experiment_pb2.EXPERIMENT_STATE_FINISHED
        ]
    return parts.listing(
        records, "experiments", lambda some: [_running(scene, one) for one in some], going,
        parts.empty("No experiment is running. Try a service kill on the database for a minute."),
    )  # fmt: skip


def _running(scene: Scene, one: experiment_pb2.Experiment) -> Node:
    acting = [fault for fault in one.faults if _left(scene, fault) > 0.0]
    left = max((_left(scene, fault) for fault in acting), default=0.0)
    whole = max((seconds(fault.duration) for fault in one.faults), default=1.0)
    recovering = one.state == experiment_pb2.EXPERIMENT_STATE_RECOVERING or not acting
    outcome = one.outcome
    summary = f"{outcome.broken} broke" if outcome.broken else "nothing broke so far"
    if outcome.HasField("time_to_first_alarm"):
        summary += f", first alarm after {length(outcome.time_to_first_alarm)}"
    return h(
        "article.experiment",
        _ring(0.0 if recovering else left / whole, "✓" if recovering else _short(left)),
        h(
            "div",
            h("strong", one.name),
            h("p", "Watching the recovery" if recovering else f"{duration(left)} left",
              h("span.muted", f" · {summary}")),
            h("ul.plain", [
                h("li.faulty", f"⚡ {faults.description(scene.state.catalog, fault)}")
                for fault in one.faults[:8]
            ]),
        ),
        None if recovering
        else h("button.quiet", "Stop", type="button", disabled=not scene.state.connected,
               aria_label=f"Stop {one.name}", **action("stop", experiment=one.id)),
        key=one.id,
    )  # fmt: skip


def _left(scene: Scene, fault: fault_pb2.Fault) -> float:
    """Seconds of simulated time that a fault has left; 0 if it is over."""
    if scene.end is None or fault.ended_by != fault_pb2.FAULT_END_UNSPECIFIED:
        return 0.0
    return max(0.0, (moment(fault.end_time) - scene.end).total_seconds())


def _short(left: float) -> str:
    return f"{left:.0f}" if left < 100 else f"{left / 60:.0f}m"


def _ring(share: float, text: str) -> Node:
    circle = {"cx": "20", "cy": "20", "r": "16"}
    done = f"{RING * min(max(share, 0.0), 1.0):.1f} {RING:.1f}"
    return h(
        "svg.ring",
        h("circle.ring-ground", **circle),
        h("circle.ring-left", **circle, stroke_dasharray=done, transform="rotate(-90 20 20)"),
        h("text", text, x="20", y="24", text_anchor="middle"),
        viewBox="0 0 40 40", aria_hidden="true",
    )  # fmt: skip
