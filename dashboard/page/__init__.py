"""The page, built once: places for the parts that the views draw, and what Dash itself draws."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from dashboard import ids
from dashboard.page import views
from dashboard.page.places import aria, data, figure, place, view

# Dash fills the places in braces. The script in front sets the colour scheme before anything shows.
INDEX = """<!DOCTYPE html>
<html lang="en">
  <head>
    {%metas%}
    <title>{%title%}</title>
    {%favicon%}
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <footer>
      {%config%}
      {%scripts%}
      {%renderer%}
    </footer>
  </body>
</html>
"""

RESET = (
    "Reset the system? A new run begins for everyone who watches: healthy, without faults. Charts "
    "and events begin anew; experiments and incidents of this run stay in the lists."
)
_ICONS = {
    "overview": "◉", "chaos": "⚡", "predictions": "◔", "incidents": "⬣", "architecture": "◫",
}  # fmt: skip


def layout() -> Any:
    """Build the page."""
    return html.Div(
        [
            html.A("Skip to content", href="#content", className="skip"),
            _top(),
            _navigation(),
            html.Main(
                [
                    place(ids.NOTICES, "notices"),
                    views.overview(),
                    view("chaos", "Chaos", views.chaos()),
                    view("predictions", "Predictions and learning", views.predictions()),
                    view("incidents", "Incidents and events", views.incidents()),
                    view("architecture", "How the data flows", views.architecture()),
                ],
                id="content",
                tabIndex="-1",
            ),
            _service_panel(),
            html.Div(id="toasts", role="status", **aria(live="polite")),
            html.Div(id="dialogs"),
            dcc.Store(id=ids.ACTION),
            dcc.Store(id=ids.ANSWER),
        ],
        className="app",
        id="app",
    )


def _top() -> Any:
    return html.Header(
        [
            html.A("SRE Edge", href="/", className="brand"),
            html.Span("connecting", id="connection", className="pill", role="status"),
            place(ids.HEALTH, "inline"),
            html.Span(className="push"),
            place(ids.CLOCK, "inline clock"),
            place(ids.RANGE, "inline"),
            html.Div(
                [
                    html.Button(
                        "Reset",
                        id="reset",
                        className="quiet",
                        type="button",
                        **data(action="reset", confirm=RESET),
                    ),
                    html.Button("Go to…", id="go-to", className="quiet", title="Ctrl+K"),
                    html.Button("◐", id="theme", className="quiet icon"),
                    html.Button("?", id="help", className="quiet icon"),
                ],
                className="tools",
            ),
        ],
        className="top",
    )


def _navigation() -> Any:
    links = [
        html.A(
            [
                html.Span(_ICONS[name], className="icon", **aria(hidden="true")),
                html.Span(name.capitalize()),
            ],
            href=f"/{'' if name == 'overview' else name}",
            **data(nav=name),
        )
        for name in ids.NAVIGATION
    ]
    return html.Nav(links, className="navigation", **aria(label="Views"))


def _service_panel() -> Any:
    return html.Aside(
        [
            place(ids.SERVICE_HEAD),
            figure(ids.CHARTS, "charts-place"),
            html.P(
                [
                    html.Span("┄ objective", className="muted"),
                    html.Span("▮ fault", className="faulty"),
                    html.Span("┊ alarm", className="status degraded"),
                    html.Span("│ incident begins", className="status down"),
                    html.Span("times are simulated", className="muted"),
                ],
                className="legend",
            ),
            place(ids.SERVICE_BODY),
        ],
        id="service",
        hidden=True,
        **aria(label="Service"),
    )
