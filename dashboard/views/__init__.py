"""Decides what every part of a page shows for a state and an address."""

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
from dashboard.views.scene import Scene, make_scene
from sre_edge import SreEdgeError

Parts = dict[str, Any]
"""Parts of a page by name: the children of an id, `ids.PAGE`, a graph, or a figure."""

MAX_NAMES = 2_000


def draw(state: State, address: Address, provider: Provider) -> Parts:
    """Draw all parts of a page that its address shows."""
    scene = make_scene(state, address, provider)
    drawn: Parts = {
        ids.PAGE: _page(scene),
        ids.NAMES: _names(scene),
        ids.HEALTH: header.health_bar(scene),
        ids.CLOCK: header.clock_bar(scene),
        ids.RANGE: header.range_bar(scene),
        ids.NOTICES: header.notices(scene),
    }
    if address.view in _VIEWS:
        drawn.update(_VIEWS[address.view](scene))
    if address.service:
        drawn.update(_service(scene))
    return drawn


def _page(scene: Scene) -> dict[str, Any]:
    """Data about a page that the browser needs in addition to its parts."""
    address = scene.address
    subject = address.service or address.view.capitalize()
    at = address.at or scene.end
    return {
        "view": address.view,
        "service": address.service,
        "title": f"{header.BY_HEART[header.health(scene)]} {subject} · SRE Edge",
        "connected": scene.state.connected,
        "stale": scene.stale,
        "replay": scene.replay,
        "at": at.isoformat() if at else None,
        "latest": end_of(scene.state.latest).isoformat() if scene.state.latest else None,
    }


def _names(scene: Scene) -> list[str]:
    """Services to go to, for the quick navigation."""
    topology = scene.state.topology
    return [one.name for one in topology.services[:MAX_NAMES]] if topology else []


def _overview(scene: Scene) -> Parts:
    parts: Parts = {
        ids.BANNER: header.banner(scene),
        ids.SERVICES: overview.services(scene),
        ids.TIMELINE: timeline.strip(scene),
        ids.SUGGESTION: overview.suggestion(scene),
        ids.GRAPH_TOOLS: overview.tools(scene),
    }
    if scene.state.topology is not None:
        topology = elements.drawing(
            scene.state.topology, scene.snapshot, scene.address, stale=scene.stale
        )
        parts[ids.GRAPH] = topology
        parts[ids.GRAPH_NOTE] = [topology["note"]] if topology["note"] else []
    return parts


def _chaos(scene: Scene) -> Parts:
    found = []
    for experiment_id in scene.address.compare:
        try:
            found.append(scene.provider.experiment(experiment_id))
        except SreEdgeError:
            continue
    return {
        ids.CHAOS_FORM: chaos.form(scene),
        ids.KILL_SWITCH: chaos.kill_switch(scene),
        ids.RUNNING: chaos.running(scene),
        ids.FINISHED: outcomes.finished(scene),
        ids.COMPARED: outcomes.compared(scene, found),
    }


def _predictions(scene: Scene) -> Parts:
    parts: Parts = {
        ids.RISKS: predictions.risk_table(scene),
        ids.MODELS: predictions.models(scene),
        ids.LEARNING: learning.mode(scene),
        ids.ALARMS: predictions.alarms(scene),
    }
    try:
        answer = scene.provider.model(scene.address.model)
    except SreEdgeError as error:
        return {**parts, ids.MODEL: [problem(str(error), "models")]}
    parts[ids.MODEL] = predictions.description(scene, answer)
    if answer.HasField("curves"):
        parts[f"figure:{ids.RELIABILITY}"] = model_plots.reliability(answer.curves)
        parts[f"figure:{ids.LEAD_TIMES}"] = model_plots.lead_times(answer.curves)
        parts[f"figure:{ids.TRADE_OFF}"] = model_plots.trade_off(
            answer.curves, answer.model.alarm_threshold
        )
    return parts


def _incidents(scene: Scene) -> Parts:
    return {
        ids.FILTERS: incidents.filters(scene),
        ids.EVENTS: incidents.events(scene),
        ids.INCIDENTS: incidents.listed(scene),
        ids.SLOS: slos.table(scene),
    }


def _architecture(scene: Scene) -> Parts:
    return {
        ids.ARCHITECTURE_GRAPH: architecture.drawing(scene),
        ids.FIGURES: architecture.figures(scene),
    }


def _service(scene: Scene) -> Parts:
    one = scene.service(scene.address.service)
    if one is None:
        nothing = [] if scene.state.topology is None else service.unknown(scene)
        return {ids.SERVICE_HEAD: nothing, ids.SERVICE_BODY: []}
    parts: Parts = {
        ids.SERVICE_HEAD: service.head(scene, one),
        ids.SERVICE_BODY: service.body(scene, one),
    }
    figure = service.figure(scene, one)
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
