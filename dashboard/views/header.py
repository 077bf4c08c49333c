"""The bar on top of every view: health, clock, and what has to be known before anything else."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from dashboard.address import RANGES, Address
from dashboard.graph.grouping import in_trouble
from dashboard.markup import Node, action, h
from dashboard.text.names import MARKS, level_name, status_of
from dashboard.text.numbers import MISSING, duration, number, probability
from dashboard.text.times import clock, moment
from dashboard.views.scene import Scene
from sre_edge.v1 import incident_pb2

SPEEDS = (0.5, 1.0, 2.0, 5.0, 10.0, 50.0)
BY_HEART = {"healthy": "●", "at risk": "◐", "degraded": "▲", "critical": "⬣", "unknown": "◆"}


def health(scene: Scene) -> str:
    """Health of the system in one word.

    "critical": a service is down, or an incident is open at an entry. "degraded": some service is.
    "at risk": some service is at medium risk or more. Else "healthy"; "unknown" if no service is
    observed.
    """
    if scene.snapshot is None or scene.stale:
        return "unknown"
    statuses = {status_of(one) for one in scene.snapshot.services}
    if statuses == {"unknown"}:
        return "unknown"
    if "down" in statuses or scene.snapshot.system.incident_probability >= 1.0:
        return "critical"
    if "degraded" in statuses:
        return "degraded"
    return "at risk" if any(map(in_trouble, scene.snapshot.services)) else "healthy"


def health_bar(scene: Scene) -> list[Node]:
    """Health, counts and system risk, in short."""
    word = health(scene)
    parts = [h(f"strong.health.{word.replace(' ', '-')}", f"{BY_HEART[word]} {word}")]
    if scene.snapshot is not None and not scene.stale:
        counts = Counter(status_of(one) for one in scene.snapshot.services)
        texts = [f"{MARKS[name]} {counts[name]}" for name in MARKS if counts[name]]
        label = ", ".join(f"{counts[name]} {name}" for name in MARKS if counts[name])
        parts.append(h("span.counts", " ".join(texts), title=label, aria_label=label, role="img"))
    return [h("div.health-bar", parts), _system_risk(scene)]


def _system_risk(scene: Scene) -> Node:
    text, level = MISSING, ""
    if scene.snapshot is not None and scene.snapshot.HasField("system") and not scene.stale:
        system = scene.snapshot.system
        level = level_name(system.risk_level)
        text = f"{probability(system.incident_probability)} {level}"
    return h(
        "span.system-risk",
        h("span.muted", "system risk "),
        h(f"strong.risk.{level}" if level else "strong.risk", text, id="system-risk"),
        title="Probability that an incident of an entry service begins within a minute",
    )


def clock_bar(scene: Scene) -> list[Node]:
    """Simulated clock with pause and speed, which are everyone's."""
    setting, end = scene.state.clock, scene.end
    paused = setting is not None and setting.paused
    blocked = not scene.state.connected
    speeds = sorted({*SPEEDS, *([round(setting.speed, 2)] if setting else [])})
    return [
        h("span.muted", "simulated time "),
        clock(end) if end else h("span", MISSING),
        h(
            "button.quiet.icon",
            _icon("M3 2l9 6-9 6z" if paused else "M3 2h3v12H3zM10 2h3v12h-3z"),
            type="button",
            disabled=blocked,
            aria_label="Resume the simulated clock" if paused else "Pause the simulated clock",
            title="Resume for everyone" if paused else "Pause for everyone",
            **action("resume" if paused else "pause"),
            data_confirm=None if paused else "Pause the simulated clock? It pauses for everyone.",
        ),
        h(
            "select",
            [
                h(
                    "option",
                    f"{speed:g}×",
                    value=f"{speed:g}",
                    selected=setting is not None and abs(setting.speed - speed) < 0.005,
                )
                for speed in speeds
            ],
            id="speed",
            aria_label="Speed of the simulated clock",
            title="Speed, for everyone",
            disabled=blocked,
            **action("speed"),
        ),
    ]


def _icon(path: str) -> Node:
    return h("svg.glyph", h("path", d=path), viewBox="0 0 16 16", aria_hidden="true")


def range_bar(scene: Scene) -> list[Node]:
    """Length of charts and timelines, in the address."""
    options = [
        h("option", f"last {name}", value=name, selected=name == scene.address.range)
        for name in RANGES
    ]
    return [h("select", options, id="range", aria_label="Time range", data_query="range")]


def notices(scene: Scene) -> list[Node]:
    """What stands above everything else: no server, a moment of the past, the kill switch."""
    found: list[Node] = []
    state, address = scene.state, scene.address
    if not state.connected:
        since = ""
        if state.latest is not None:
            age = (scene.now - state.latest.produced_time.ToDatetime(tzinfo=UTC)).total_seconds()
            since = f" Last update {duration(age)} ago; the values shown are out of date."
        text = f"No connection to the server: {state.reason}.{since} Reconnecting automatically."
        found.append(h("div.notice.lost", text, role="alert", key="lost"))
    elif scene.stale:
        text = f"The values shown are out of date: {state.stale}."
        found.append(h("div.notice.lost", text, role="alert", key="stale"))
    if scene.problem:
        live = h("a", "Back to live", href=address.link(at=None))
        text = f"This moment cannot be shown: {scene.problem}."
        found.append(h("div.notice.lost", h("span", text), live, role="alert", key="moment"))
    elif scene.replay and scene.end is not None:
        found.append(_replay(scene, address, scene.end))
    if scene.snapshot is not None and state.latest is not None and state.latest.kill_switch:
        found.append(
            h(
                "div.notice.killed",
                h("span", "The kill switch is on: no faults are accepted."),
                h("button.quiet", "Lift it", type="button", disabled=not state.connected,
                  **action("lift"),
                  data_confirm="Lift the kill switch? Faults are accepted again."),
                key="killed",
            )
        )  # fmt: skip
    return found


def _replay(scene: Scene, address: Address, end: datetime) -> Node:
    behind = ""
    if scene.state.latest is not None:
        latest = moment(scene.state.latest.time).timestamp() + scene.state.latest.interval_seconds
        behind = f", {duration(latest - end.timestamp())} ago in simulated time"
    step = scene.snapshot.interval_seconds if scene.snapshot else 2.0

    def button(text: str, says: str, steps: float, **more: str) -> Node:
        return h("button.quiet.icon", text, type="button", aria_label=says, title=says,
                 data_step=f"{steps * step:g}", **more)  # fmt: skip

    return h(
        "div.notice.replay",
        h("span", "History: ", clock(end), behind),
        h(
            "span.steps",
            button("−1 m", "A minute back", -60 / step),
            button("‹", "One interval back", -1),
            h("button.quiet.icon", _icon("M3 2l9 6-9 6z"), type="button", data_play="", id="play",
              aria_label="Replay from here", title="Replay from here"),
            button("›", "One interval on", 1),
            button("+1 m", "A minute on", 60 / step),
        ),
        h("a", "Back to live", href=address.link(at=None)),
        key="replay",
    )  # fmt: skip


def open_incidents(scene: Scene) -> list[incident_pb2.Incident]:
    """Incidents that go on."""
    return [
        incident
        for incident in scene.state.records.incidents or ()
        if incident.state == incident_pb2.INCIDENT_STATE_OPEN
        and incident.run_id == scene.state.run_id
    ]


def banner(scene: Scene) -> list[Node]:
    """Answers whether anything is wrong or about to be, and where."""
    word = health(scene)
    snapshot = scene.snapshot
    if snapshot is None:
        return []
    facts: list[Node | str] = []
    troubled = [one.service for one in snapshot.services if in_trouble(one)]
    unseen = sum(1 for one in snapshot.services if status_of(one) == "unknown")
    if word == "healthy":
        which = "observed service" if unseen else "service"
        facts.append(f"No {which} is in trouble, and none is expected to be.")
    elif word != "unknown":
        riskiest = snapshot.system.service_most_at_risk
        facts.append(f"{len(troubled)} of {len(snapshot.services)} services need attention.")
        if riskiest:
            facts += [
                " Most at risk: ",
                h("a", riskiest, href=scene.address.link(service=riskiest)),
                ".",
            ]
    if unseen:
        verb = "is" if unseen == 1 else "are"
        facts.append(f" {unseen} of {len(snapshot.services)} services {verb} not observed.")
    incidents = [] if scene.replay else open_incidents(scene)
    if incidents:
        worst = incidents[0]
        names = len({one.service for one in worst.services})
        warning = (
            f"foretold {duration(worst.lead.ToTimedelta().total_seconds())} ahead"
            if worst.foretold
            else "not foretold"
        )
        facts += [
            f" An incident is open at {number(names, 'service' if names == 1 else 'services')}, "
            f"probably caused by ",
            h("a", worst.probable_origin, href=scene.address.link(service=worst.probable_origin)),
            f", {warning}.",
        ]
    return [
        h(
            f"div.banner.{word.replace(' ', '-')}",
            h("strong", f"{BY_HEART[word]} {word.capitalize()}", id="system-health"),
            h("p", *facts),
            class_="stale" if scene.stale else None,
        )
    ]
