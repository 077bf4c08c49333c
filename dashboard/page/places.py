"""Places on the page that the views fill, and their attributes."""

from __future__ import annotations

from typing import Any

import dash_cytoscape as cyto
from dash import html

from dashboard.graph.style import STYLESHEET


def place(part: str, classes: str = "") -> Any:
    """Make room for a part; empty, it shows that it is loading."""
    return html.Div(id=part, className=f"part {classes}".strip())


def panel(heading: str, *children: Any, classes: str = "") -> Any:
    """Frame some places, with a heading."""
    return html.Section(
        [html.H2(heading) if heading else None, *children], className=f"panel {classes}".strip()
    )


def view(name: str, heading: str, children: list[Any]) -> Any:
    """Hold what one view shows; hidden until the address asks for it."""
    return html.Div([html.H1(heading), *children], className="view", hidden=True, **data(view=name))


def figure(component: str, classes: str = "") -> Any:
    """Make room for a chart; the browser puts it there with the first figure."""
    return html.Div(id=f"{component}-place", className=classes)


def data(**values: str) -> dict[str, Any]:
    """Attributes for the browser's own use: `data(view="chaos")`."""
    return {f"data-{name}": value for name, value in values.items()}


def aria(**values: str) -> dict[str, Any]:
    """Attributes for those who cannot see the page: `aria(label="Views")`."""
    return {f"aria-{name}": value for name, value in values.items()}


def graph(component: str, classes: str) -> Any:
    """Make room for a Cytoscape graph."""
    # Dash gets no elements: the browser adds them, so that a tick touches only what differs.
    return html.Div(
        cyto.Cytoscape(
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
        ),
        className=classes,
        role="img",
        **aria(label="Graph; the list beside it says the same in words"),
    )
