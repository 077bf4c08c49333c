"""Incidents and events, each with a link to its moment."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.markup import Node, h
from dashboard.text.names import EVENT_GROUPS, event_group, incident_state, sentence
from dashboard.text.numbers import MISSING, duration, number
from dashboard.text.times import clock, length, moment
from dashboard.views import parts
from dashboard.views.scene import Scene
from sre_edge.v1 import event_pb2, incident_pb2

MAX_EVENTS = 150
MAX_INCIDENTS = 50
_MARKS = {"fault": "⚡", "alarm": "▲", "incident": "⬣", "status": "●", "slo": "◔", "change": "⟳"}


def filters(scene: Scene) -> list[Node]:
    """Choose kinds of events and a service; both are in the address."""
    address = scene.address
    topology = scene.state.topology
    names = [service.name for service in topology.services] if topology else []
    kinds = [("", "All"), *((key, name) for key, (name, _) in EVENT_GROUPS.items())]
    return [
        h("nav.chips", [
            h("a.chip", name, href=address.link(kind=key), key=key,
              aria_current="true" if key == address.kind else None)
            for key, name in kinds
        ], aria_label="Kinds of events"),
        h("label.field.inline", h("span", "Service"), h(
            "select",
            h("option", "all", value="", selected=not address.of),
            [h("option", name, value=name, selected=name == address.of) for name in names],
            data_query="of",
        )),
    ]  # fmt: skip


def events(scene: Scene) -> list[Node]:
    """Events of this run that the filters let pass, newest first."""
    address = scene.address
    wanted = [
        event
        for event in scene.state.events
        if address.kind in ("", event_group(event.kind))
        and (not address.of or not event.services or address.of in event.services)
    ]
    if not wanted:
        if address.kind or address.of:
            return [parts.empty("Nothing of this kind has happened in this run. ",
                                h("a", "Show all", href=address.link(kind="", of="")))]  # fmt: skip
        return [parts.empty("Nothing has happened in this run yet.")]
    rows = [_event(scene, event) for event in wanted[:MAX_EVENTS]]
    left = len(wanted) - MAX_EVENTS
    if left > 0:
        rows.append(h("li.muted", f"and {left} older ones", key="older"))
    return [h("ol.events", rows)]


def _event(scene: Scene, event: event_pb2.Event) -> Node:
    group = event_group(event.kind)
    when = moment(event.time)
    href = scene.address.link(
        view="overview", at=when, service=event.services[0] if len(event.services) == 1 else ""
    )
    return h(
        f"li.event.event-{group}",
        h("a", clock(when), href=href, title="Show this moment"),
        h("span.event-mark", _MARKS[group], aria_hidden="true"),
        h("span", _event_text(event)),
        key=f"{event.cursor.run_id}/{event.cursor.sequence}",
    )


def _event_text(event: event_pb2.Event) -> str:
    """Say what happened; names of services stay as they are."""
    if event_group(event.kind) == "incident":
        return f"Incident {event.text}"
    return event.text if event.text.startswith(tuple(event.services)) else sentence(event.text)


def listed(scene: Scene) -> list[Node]:
    """Incidents of this run and of those before it."""
    records = scene.state.records
    some = records.incidents
    if some is not None and scene.address.of:
        some = [one for one in some if any(s.service == scene.address.of for s in one.services)]
    return parts.listing(
        records, "incidents", lambda found: [_table(scene, found[:MAX_INCIDENTS])], some,
        parts.empty("No incident so far."),
    )  # fmt: skip


def _table(scene: Scene, some: Sequence[incident_pb2.Incident]) -> Node:
    heads = (
        "Began",
        "State",
        "Lasted",
        "Probable origin",
        "Services, in order",
        "Worst",
        "Foretold",
    )
    return h(
        "div.scroll",
        h("table", h("thead", h("tr", [h("th", head, scope="col") for head in heads])),
          h("tbody", [_row(scene, one) for one in some])),
        tabindex="0", role="region", aria_label="Incidents",
    )  # fmt: skip


def _row(scene: Scene, one: incident_pb2.Incident) -> Node:
    onset = moment(one.onset_time)
    here = one.run_id == scene.state.run_id
    end = moment(one.end_time) if one.HasField("end_time") else (scene.end if here else None)
    lasted = duration((end - onset).total_seconds()) if end else MISSING
    href = scene.address.link(view="overview", at=onset, service=one.probable_origin)
    began = h("a", clock(onset), href=href) if here else h("span", clock(onset), " (earlier run)")
    state = incident_state(one)
    names = list(dict.fromkeys(affected.service for affected in one.services))
    return h(
        "tr",
        h("td", began),
        h("td", h("strong.open", "⬣ open") if state == "open" else state),
        h("td.number", lasted),
        h("td", h("a", one.probable_origin, href=scene.address.link(service=one.probable_origin))),
        h("td", ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")),
        h("td.number", _worst(one)),
        h("td.number", f"{length(one.lead)} ahead" if one.foretold else "no"),
        key=one.id,
    )


def _worst(one: incident_pb2.Incident) -> str:
    errors = [s.error_rate_percent.value for s in one.services if s.HasField("error_rate_percent")]
    slowest = [s.latency_p95_ms.value for s in one.services if s.HasField("latency_p95_ms")]
    found = []
    if errors and max(errors) > 0.0:
        found.append(f"{number(max(errors), '%')} errors")
    if slowest:
        found.append(f"p95 {number(max(slowest), 'ms')}")
    return ", ".join(found) or MISSING
