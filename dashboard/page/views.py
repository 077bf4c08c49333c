"""What each view has places for."""

from __future__ import annotations

from dashboard import ids
from dashboard.markup import Node, h
from dashboard.page.places import figure, graph, panel, place
from dashboard.text.names import MARKS

_LEGEND = [
    *((f"status {name}", f"{mark} {name}") for name, mark in MARKS.items()),
    ("risk", "◯ halo: risk"),
    ("faulty", "⚡ fault"),
    ("muted", "━ width: call rate"),
]


def overview() -> Node:
    """Overview."""
    return h(
        "div.view",
        h("h1.unseen", "Overview"),
        place(ids.BANNER, "banner-place"),
        place(ids.SUGGESTION, "optional"),
        h(
            "div.overview",
            h(
                "section.panel.topology",
                h("div.heading", h("h2", "Topology"), place(ids.GRAPH_TOOLS, "graph-tools inline")),
                graph(ids.GRAPH, "graph"),
                place(ids.GRAPH_NOTE, "note muted"),
                h("div.legend", [h("span", text, class_=classes) for classes, text in _LEGEND]),
            ),
            panel("Services", place(ids.SERVICES, "services"), classes="services-panel"),
        ),
        panel("Timeline", place(ids.TIMELINE, "timeline")),
        hidden=True,
        data_view="overview",
    )


def chaos() -> list[Node]:
    """Chaos."""
    return [
        h(
            "div.two.narrow-first",
            panel("New experiment", place(ids.CHAOS_FORM)),
            h(
                "div.column",
                h(
                    "section.panel",
                    h("div.heading", h("h2", "Running"), place(ids.KILL_SWITCH, "inline push")),
                    place(ids.RUNNING),
                ),
                panel("Finished", place(ids.FINISHED)),
            ),
        ),
        h("section.panel.compared-panel", place(ids.COMPARED, "optional")),
    ]


def predictions() -> list[Node]:
    """Predictions."""

    def plot(component: str, heading: str) -> Node:
        return h("figure.plot", h("figcaption", heading), figure(component))

    plots = h(
        "div.plots",
        plot(ids.RELIABILITY, "Reliability: observed over predicted probability"),
        plot(ids.LEAD_TIMES, "Lead time of foreseeable incidents"),
        plot(ids.TRADE_OFF, "Foreseen incidents against false alarms"),
    )
    return [
        panel("Risk of all services", place(ids.RISKS)),
        h(
            "div.two",
            panel("", place(ids.MODEL), plots),
            h(
                "div.column",
                panel("Models", place(ids.MODELS)),
                panel("Learning mode", place(ids.LEARNING)),
            ),
        ),
        panel("Outcomes of past alarms", place(ids.ALARMS)),
    ]


def incidents() -> list[Node]:
    """Incidents."""
    return [
        h("section.panel", place(ids.FILTERS, "filters")),
        panel("Incidents", place(ids.INCIDENTS)),
        h(
            "div.two.narrow-first",
            panel("Events", place(ids.EVENTS, "events-place")),
            panel("Objectives and error budgets", place(ids.SLOS)),
        ),
    ]


def architecture() -> list[Node]:
    """Architecture."""
    return [
        h("section.panel", graph(ids.ARCHITECTURE_GRAPH, "graph flows")),
        panel("Live figures", place(ids.FIGURES)),
    ]
