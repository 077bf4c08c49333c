"""What every part of a page shows for a state and an address; the only place that decides it."""

from __future__ import annotations

from typing import Any

from dashboard import ids
from dashboard.address import Address
from dashboard.figures import model_plots
from dashboard.graph import elements
from dashboard.source.state import Provider, State, end_of
from dashboard.views import (
    architecture,
    chaos,
    header,
    incidents,
    learning,
    outcomes,
    overview,
    predictions,
    service,
    slos,
    timeline,
)
from dashboard.views.parts import problem
from dashboard.views.scene import Scene, scene
from sre_edge import SreEdgeError

Parts = dict[str, Any]
"""By name: an id with its children; `ids.PAGE`; a graph; a figure."""

MOST_NAMES = 2_000


def draw(state: State, address: Address, provider: Provider) -> Parts:
    """Draw all parts of a page that its address shows."""
    seen = scene(state, address, provider)
    drawn: Parts = {
        ids.PAGE: _page(seen),
        ids.NAMES: _names(seen),
        ids.HEALTH: header.health_bar(seen),
        ids.CLOCK: header.clock_bar(seen),
        ids.RANGE: header.range_bar(seen),
        ids.NOTICES: header.notices(seen),
    }
    if address.view in _VIEWS:
        drawn.update(_VIEWS[address.view](seen))
    if address.service:
        drawn.update(_service(seen))
    return drawn


def _page(seen: Scene) -> dict[str, Any]:
    """What the browser needs to know of a page besides its parts."""
    address = seen.address
    subject = address.service or address.view.capitalize()
    at = address.at or seen.end
    return {
        "view": address.view,
        "service": address.service,
        "title": f"{header.BY_HEART[header.health(seen)]} {subject} · SRE Edge",
        "connected": seen.state.connected,
        "replay": seen.replay,
        "at": at.isoformat() if at else None,
        "latest": end_of(seen.state.latest).isoformat() if seen.state.latest else None,
    }


def _names(seen: Scene) -> list[str]:
    """Services to go to, for the quick navigation."""
    topology = seen.state.topology
    return [one.name for one in topology.services[:MOST_NAMES]] if topology else []


def _overview(seen: Scene) -> Parts:
    parts: Parts = {
        ids.BANNER: header.banner(seen),
        ids.SERVICES: overview.services(seen),
        ids.TIMELINE: timeline.strip(seen),
        ids.SUGGESTION: overview.suggestion(seen),
        ids.GRAPH_TOOLS: overview.tools(seen),
    }
    if seen.state.topology is not None:
        topology = elements.drawing(seen.state.topology, seen.taken, seen.address, stale=seen.stale)
        parts[ids.GRAPH] = topology
        parts[ids.GRAPH_NOTE] = [topology["note"]] if topology["note"] else []
    return parts


def _chaos(seen: Scene) -> Parts:
    found = []
    for experiment_id in seen.address.compare:
        try:
            found.append(seen.provider.experiment(experiment_id))
        except SreEdgeError:
            continue
    return {
        ids.CHAOS_FORM: chaos.form(seen),
        ids.KILL_SWITCH: chaos.kill_switch(seen),
        ids.RUNNING: chaos.running(seen),
        ids.FINISHED: outcomes.finished(seen),
        ids.COMPARED: outcomes.compared(seen, found),
    }


def _predictions(seen: Scene) -> Parts:
    parts: Parts = {
        ids.RISKS: predictions.risk_table(seen),
        ids.MODELS: predictions.models(seen),
        ids.LEARNING: learning.mode(seen),
        ids.ALARMS: predictions.alarms(seen),
    }
    try:
        answer = seen.provider.model(seen.address.model)
    except SreEdgeError as error:
        return {**parts, ids.MODEL: [problem(str(error), "models")]}
    parts[ids.MODEL] = predictions.described(seen, answer)
    if answer.HasField("curves"):
        parts[f"figure:{ids.RELIABILITY}"] = model_plots.reliability(answer.curves)
        parts[f"figure:{ids.LEAD_TIMES}"] = model_plots.lead_times(answer.curves)
        parts[f"figure:{ids.TRADE_OFF}"] = model_plots.trade_off(
            answer.curves, answer.model.alarm_threshold
        )
    return parts


def _incidents(seen: Scene) -> Parts:
    return {
        ids.FILTERS: incidents.filters(seen),
        ids.EVENTS: incidents.events(seen),
        ids.INCIDENTS: incidents.listed(seen),
        ids.SLOS: slos.table(seen),
    }


def _architecture(seen: Scene) -> Parts:
    return {
        ids.ARCHITECTURE_GRAPH: architecture.drawing(seen),
        ids.FIGURES: architecture.figures(seen),
    }


def _service(seen: Scene) -> Parts:
    one = seen.service(seen.address.service)
    if one is None:
        nothing = [] if seen.state.topology is None else service.unknown(seen)
        return {ids.SERVICE_HEAD: nothing, ids.SERVICE_BODY: []}
    parts: Parts = {
        ids.SERVICE_HEAD: service.head(seen, one),
        ids.SERVICE_BODY: service.body(seen, one),
    }
    figure = service.figure(seen, one)
    if figure is not None:
        parts[f"figure:{ids.CHARTS}"] = figure
    return parts


_VIEWS = {
    "overview": _overview,
    "chaos": _chaos,
    "predictions": _predictions,
    "incidents": _incidents,
    "architecture": _architecture,
}
