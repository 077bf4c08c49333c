"""What each view has places for."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard import ids
from dashboard.page.places import data, figure, graph, panel, place
from dashboard.words.names import MARKS

_LEGEND = [
    *((f"status {name}", f"{mark} {name}") for name, mark in MARKS.items()),
    ("risk", "◯ halo: risk"),
    ("faulty", "⚡ fault"),
    ("muted", "━ width: call rate"),
]


def overview() -> Any:
    """Overview."""
    legend = html.Div(
        [html.Span(text, className=classes) for classes, text in _LEGEND], className="legend"
    )
    topology = html.Section(
        [
            html.Div(
                [html.H2("Topology"), place(ids.GRAPH_TOOLS, "graph-tools inline")],
                className="heading",
            ),
            graph(ids.GRAPH, "graph"),
            place(ids.GRAPH_NOTE, "note muted"),
            legend,
        ],
        className="panel topology",
    )
    return html.Div(
        [
            html.H1("Overview", className="unseen"),
            place(ids.BANNER, "banner-place"),
            place(ids.SUGGESTION, "optional"),
            html.Div(
                [
                    topology,
                    panel("Services", place(ids.SERVICES, "services"), classes="services-panel"),
                ],
                className="overview",
            ),
            panel("Timeline", place(ids.TIMELINE, "timeline")),
        ],
        className="view",
        hidden=True,
        **data(view="overview"),
    )


def chaos() -> list[Any]:
    """Chaos."""
    return [
        html.Div(
            [
                panel("New experiment", place(ids.CHAOS_FORM)),
                html.Div(
                    [
                        html.Section(
                            [
                                html.Div(
                                    [html.H2("Running"), place(ids.KILL_SWITCH, "inline push")],
                                    className="heading",
                                ),
                                place(ids.RUNNING),
                            ],
                            className="panel",
                        ),
                        panel("Finished", place(ids.FINISHED)),
                    ],
                    className="column",
                ),
            ],
            className="two narrow-first",
        ),
        html.Section(place(ids.COMPARED, "optional"), className="panel compared-panel"),
    ]


def predictions() -> list[Any]:
    """Predictions."""

    def plot(component: str, heading: str) -> Any:
        return html.Figure([html.Figcaption(heading), figure(component)], className="plot")

    return [
        panel("Risk of all services", place(ids.RISKS)),
        html.Div(
            [
                panel(
                    "",
                    place(ids.MODEL),
                    html.Div(
                        [
                            plot(ids.RELIABILITY, "Reliability: is it right about how sure it is?"),
                            plot(ids.LEAD_TIMES, "Lead time of foreseeable incidents"),
                            plot(ids.TRADE_OFF, "Foreseen against false alarms"),
                        ],
                        className="plots",
                    ),
                ),
                html.Div(
                    [
                        panel("Models", place(ids.MODELS)),
                        panel("Learning mode", place(ids.LEARNING)),
                    ],
                    className="column",
                ),
            ],
            className="two",
        ),
        panel("How past alarms turned out", place(ids.ALARMS)),
    ]


def incidents() -> list[Any]:
    """Incidents."""
    return [
        html.Section(place(ids.FILTERS, "filters"), className="panel"),
        panel("Incidents", place(ids.INCIDENTS)),
        html.Div(
            [
                panel("Events", place(ids.EVENTS, "events-place")),
                panel("Objectives and error budgets", place(ids.SLOS)),
            ],
            className="two narrow-first",
        ),
    ]


def architecture() -> list[Any]:
    """Architecture."""
    return [
        html.Section(graph(ids.ARCHITECTURE_GRAPH, "graph flows"), className="panel"),
        panel("Live figures", place(ids.FIGURES)),
    ]
