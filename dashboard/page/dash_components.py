"""What Dash itself draws: graphs and charts, which the browser puts into slots of the page."""

from __future__ import annotations

from typing import Any

import dash_cytoscape as cyto
from dash import dcc, html

from dashboard import ids
from dashboard.graph.style import STYLESHEET

GRAPHS = (ids.GRAPH, ids.ARCHITECTURE_GRAPH)
FIGURES = (ids.CHARTS, ids.RELIABILITY, ids.LEAD_TIMES, ids.TRADE_OFF)


def layout() -> Any:
    """Build what Dash lays out."""
    return html.Div(
        [
            dcc.Store(id=ids.ACTION),
            dcc.Store(id=ids.ANSWER),
            *(html.Div(_graph(name), id=f"{name}-place") for name in GRAPHS),
            # Plotly is large: the browser puts a chart here, and so loads it, with a first figure.
            *(html.Div(id=f"{name}-place") for name in FIGURES),
        ]
    )


def _graph(component: str) -> Any:
    # Dash gets no elements: the browser adds them, so that a tick touches only what differs.
    return cyto.Cytoscape(
        id=component,
        elements=[],
        stylesheet=STYLESHEET,
        layout={"name": "preset", "fit": False},
        autoRefreshLayout=False,
        responsive=True,
        boxSelectionEnabled=False,
        minZoom=0.05,
        maxZoom=2.5,
        style={"width": "100%", "height": "100%"},
    )
