"""The skeleton of the page, built once per load; afterwards only its leaves change."""

from __future__ import annotations

from typing import Any

import dash_cytoscape as cyto
from dash import dcc, html

from dashboard import faults, graph, ids
from dashboard.provider import State
from dashboard.view import MAX_CARDS, MAX_GRAPH_NODES, topology_key
from sre_edge.v1 import fault_pb2, topology_pb2

TICK_MS = 1000
_LABELS = {
    "cpu": "CPU",
    "memory": "Memory",
    "latency": "Latency",
    "errors": "Errors",
    "throughput": "Throughput",
    "availability": "Available",
}


def page(state: State) -> Any:
    """Build the page for the topology that is known now."""
    topology = state.topology
    return html.Div(
        [
            dcc.Location(id=ids.ADDRESS, refresh="callback-nav"),
            dcc.Interval(id=ids.CLOCK, interval=TICK_MS),
            dcc.Store(id=ids.UPDATE),
            dcc.Store(id=ids.SEEN),
            dcc.Store(id=ids.RENDERED, data=topology_key(topology)),
            dcc.Store(id=ids.TOPOLOGY_KEY, data=topology_key(topology)),
            _header(),
            html.Div(id=ids.BANNER, className="banner hidden", role="alert"),
            html.Main(_body(topology) if topology else _waiting()),
            _reset_dialog(),
        ],
        className="page",
    )


def _header() -> Any:
    return html.Header(
        [
            html.H1("SRE Edge"),
            html.Span("connecting", id=ids.CONNECTION, className="pill"),
            html.Span(
                ["simulated time ", html.Time("", id=ids.SIMULATED_TIME, className="clock")],
                className="muted",
            ),
            html.Span(id=ids.HEALTH, className="health"),
            html.Span(
                ["system risk ", html.Strong("–", id=ids.SYSTEM_RISK, className="risk")],
                title="Probability that an incident of an entry service begins within a minute",
            ),
            html.Button(
                "Reset", id=ids.RESET, className="button quiet push", title="Back to healthy"
            ),
        ],
        className="bar",
    )


def _waiting() -> list[Any]:
    # The leaves that a state without a topology has, so that updating them is no error.
    return [
        html.Div(
            [
                html.H2("Waiting for the server"),
                html.P(
                    "The page fills by itself as soon as the server answers. "
                    "Start one with: make run"
                ),
            ],
            className="panel waiting",
        ),
        html.Div([_chaos(None), _events()], className="hidden"),
    ]


def _body(topology: topology_pb2.Topology) -> list[Any]:
    return [
        html.Div(
            [
                _graph(topology),
                _cards(topology),
                html.Div([_chaos(topology), _events()], className="pair"),
            ],
            className="column",
        ),
        html.Div([_panel()], className="column"),
    ]


def _graph(topology: topology_pb2.Topology) -> Any:
    count = len(topology.services)
    legend = html.Div(
        [
            html.Span(f"{graph.STATUS_MARK[status]} {status}", className=f"status {status}")
            for status in ("healthy", "degraded", "down", "unknown")
        ]
        + [html.Span("⚡ fault", className="faulty")],
        className="legend",
    )
    heading = html.Div(
        [
            html.H2(f"Topology: {topology.name}"),
            legend,
            html.Button("Fit", id=ids.FIT, className="button quiet", title="Show the whole graph"),
        ],
        className="heading",
    )
    if count > MAX_GRAPH_NODES:
        body: Any = html.P(f"{count} services are too many for one picture.", className="empty")
    else:
        body = cyto.Cytoscape(
            id=ids.GRAPH,
            elements=graph.elements(topology, None, None),
            stylesheet=graph.STYLESHEET,
            layout={"name": "preset", "fit": True, "padding": 48},
            autoRefreshLayout=False,
            responsive=True,
            boxSelectionEnabled=False,
            minZoom=0.15,
            maxZoom=2.5,
            style={"width": "100%", "height": "100%"},
        )
    return html.Section(
        [heading, html.Div(body, className="graph", style={"height": graph.height(topology)})],
        className="panel",
    )


def _cards(topology: topology_pb2.Topology) -> Any:
    cards = [_card(service.name) for service in topology.services[:MAX_CARDS]]
    return html.Section(
        [html.H2("Services"), html.Div(cards, className="cards")], className="panel"
    )


def _card(name: str) -> Any:
    def part(key: str, component: Any = html.Span, **properties: Any) -> Any:
        return component("–", id=ids.card_part(name, key), **properties)

    metrics = [html.Div([html.Dt(_LABELS[key]), part(key, html.Dd)]) for key in ids.CARD_METRICS]
    return html.Button(
        [
            html.Span(
                [html.Strong(name), part("status", className="status unknown")], className="top"
            ),
            html.Dl(metrics, id=ids.card_part(name, "values"), className="values"),
            html.Span(
                [part("risk", className="risk"), part("fault", className="faulty")], className="top"
            ),
        ],
        id=ids.card(name),
        className="card",
    )


def _panel() -> Any:
    return html.Section(
        [
            html.Div(
                [html.H2(id=ids.PANEL_TITLE), html.Span(id=ids.PANEL_STATUS, className="status")],
                className="heading",
            ),
            html.P([html.Strong(id=ids.PANEL_RISK, className="risk")]),
            html.P(id=ids.PANEL_TYPE),
            html.P(id=ids.PANEL_ADVICE),
            html.P(id=ids.PANEL_NEEDS, className="muted"),
            dcc.Graph(id=ids.CHARTS, config={"displayModeBar": False}, className="charts"),
            html.Details(
                [
                    html.Summary("What the model sees", id=ids.SHOW_FEATURES),
                    html.Pre(id=ids.FEATURES, className="features"),
                ]
            ),
        ],
        className="panel",
    )


def _chaos(topology: topology_pb2.Topology | None) -> Any:
    names = [service.name for service in topology.services] if topology else []
    edges = [
        f"{service.name}->{call.service}"
        for service in (topology.services if topology else ())
        for call in service.dependencies
    ]
    rows = [
        html.Div(
            [
                html.Span(id=ids.fault_text(slot)),
                html.Button("Stop", id=ids.stop_button(slot), className="button quiet"),
            ],
            id=ids.fault_row(slot),
            className="fault hidden",
        )
        for slot in range(ids.FAULT_SLOTS)
    ]
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Chaos"),
                    html.Button("Stop all", id=ids.STOP_ALL, className="button danger push"),
                ],
                className="heading",
            ),
            html.Div(
                [
                    _field("Target", _dropdown(ids.TARGET, [(n, n) for n in (*names, *edges)])),
                    _field(
                        "Fault",
                        _dropdown(ids.KIND, faults.kinds(), fault_pb2.FAULT_KIND_SERVICE_KILL),
                    ),
                    _field("Duration, s", _number(ids.DURATION, 60, 1, 3600)),
                    _field("Intensity", _number(ids.INTENSITY, 1, 0.1, faults.MAX_INTENSITY)),
                    _field("Ramp, s", _number(ids.RAMP, 0, 0, 3600)),
                    html.Button("Inject", id=ids.INJECT, className="button chaos"),
                ],
                className="form",
            ),
            html.P(id=ids.EFFECT, className="muted"),
            html.P(id=ids.CHAOS_MESSAGE, className="message", role="status"),
            html.P(
                "No fault acts. Try a service kill on the database for a minute.",
                id=ids.NO_FAULTS,
                className="empty",
            ),
            *rows,
        ],
        className="panel",
    )


def _field(label: str, control: Any) -> Any:
    return html.Label([html.Span(label), control], className="field")


def _dropdown(component: str, options: list[tuple[Any, str]], value: Any = None) -> Any:
    return dcc.Dropdown(
        id=component,
        options=[{"value": key, "label": text} for key, text in options],
        value=value,
        clearable=False,
        className="dropdown",
    )


def _number(component: str, value: float, least: float, most: float) -> Any:
    return dcc.Input(
        id=component, type="number", value=value, min=least, max=most, step="any", debounce=False
    )


def _events() -> Any:
    rows = [
        html.Li(
            [
                html.Time(id=ids.event_row(slot, "time"), className="clock"),
                html.Span(id=ids.event_row(slot, "text")),
            ],
            id=ids.event_row(slot, "row"),
            className="event hidden",
        )
        for slot in range(ids.EVENT_SLOTS)
    ]
    return html.Section(
        [
            html.H2("Events"),
            html.P("Nothing has happened yet.", id=ids.EVENTS_EMPTY, className="empty"),
            html.Ol(rows, className="events"),
        ],
        className="panel",
    )


def _reset_dialog() -> Any:
    return html.Div(
        html.Div(
            [
                html.H2("Reset the system?"),
                html.P(
                    "A new run begins for everyone who watches: healthy, without faults. "
                    "The history shown here starts anew."
                ),
                html.P(id=ids.RESET_MESSAGE, className="message", role="status"),
                html.Div(
                    [
                        html.Button("Cancel", id=ids.RESET_CANCEL, className="button quiet"),
                        html.Button("Reset", id=ids.RESET_CONFIRM, className="button danger"),
                    ],
                    className="actions",
                ),
            ],
            className="dialog",
            role="dialog",
        ),
        id=ids.RESET_DIALOG,
        className="overlay hidden",
    )
