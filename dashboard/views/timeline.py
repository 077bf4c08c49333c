"""Faults, alarms, incidents and changes on one time axis; each links to its moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.markup import Node, h
from dashboard.text.names import alarm_outcome, event_group, kind_name
from dashboard.text.numbers import probability
from dashboard.text.times import clock, length, moment
from dashboard.views.scene import Scene

TICKS = 4


@dataclass(frozen=True, slots=True)
class _Strip:
    """A scene with the time that the timeline is of."""

    scene: Scene
    begin: datetime
    end: datetime

    def share(self, time: datetime) -> float:
        """Place of a point in time, percent of the width."""
        share = (time - self.begin) / (self.end - self.begin)
        return 100.0 * min(max(share, 0.0), 1.0)

    def mark(self, start: datetime, end: datetime | None, text: str, key: str) -> Node:
        """Place a bar from start to end, or a mark without an end, as a link to its start."""
        style = f"left:{self.share(start):.2f}%"
        if end is not None:
            style += f";width:{max(self.share(end) - self.share(start), 0.6):.2f}%"
        return h(
            "a.bar" if end is not None else "a.point",
            h("span", text) if end is not None else None,
            href=self.scene.address.link(at=max(start, self.begin)),
            title=text, aria_label=text, style=style, key=key,
        )  # fmt: skip


def strip(scene: Scene) -> list[Node]:
    """Draw the timeline of the chosen range."""
    if scene.span is None:
        return []
    begin, end = scene.span
    drawn = _Strip(scene, begin, end)
    lanes = [
        ("Faults", "fault", _faults(drawn)),
        ("Alarms", "alarm", _alarms(drawn)),
        ("Incidents", "incident", _incidents(drawn)),
        ("Changes", "change", _changes(drawn)),
    ]
    ticks = [
        h(
            "span.tick",
            clock(begin + (end - begin) * (i / TICKS)),
            style=f"left:{100 * i / TICKS:g}%",
        )
        for i in range(TICKS)
    ]
    return [
        h("div.lane", h("span.lane-name", name), h(f"div.track.{kind}", marks), key=name)
        for name, kind, marks in lanes
    ] + [h("div.lane.axis", h("span.lane-name"), h("div.track", ticks), key="axis")]


def _faults(strip: _Strip) -> list[Node]:
    return [
        strip.mark(
            moment(fault.start_time), moment(fault.end_time),
            f"{kind_name(fault.kind)} on {fault.target}", fault.id,
        )
        for _, fault in strip.scene.faults()
    ]  # fmt: skip


def _alarms(strip: _Strip) -> list[Node]:
    return [
        strip.mark(
            moment(alarm.raise_time), None,
            f"Alarm for {alarm.service} at {probability(alarm.probability)}: "
            f"{alarm_outcome(alarm.outcome)}", alarm.id,
        )
        for alarm in strip.scene.alarms()
    ]  # fmt: skip


def _incidents(strip: _Strip) -> list[Node]:
    found = []
    for incident in strip.scene.incidents():
        end = moment(incident.end_time) if incident.HasField("end_time") else strip.end
        names = list(dict.fromkeys(one.service for one in incident.services))
        text = f"Incident: {', '.join(names[:4])}{'…' if len(names) > 4 else ''}"
        if incident.foretold:
            text += f", foretold {length(incident.lead)} ahead"
        found.append(strip.mark(moment(incident.onset_time), end, text, incident.id))
    return found


def _changes(strip: _Strip) -> list[Node]:
    return [
        strip.mark(moment(event.time), None, event.text, str(event.cursor.sequence))
        for event in strip.scene.state.events
        if event_group(event.kind) == "change" and strip.begin <= moment(event.time) <= strip.end
    ]
