"""The page, written once as HTML: places for the parts that the views draw, and slots for Dash."""

from __future__ import annotations

from pathlib import Path

from dashboard import ids
from dashboard.markup import Node, h, html
from dashboard.page import views
from dashboard.page.places import figure, place, view

ASSETS = Path(__file__).parents[1] / "assets"

RESET = (
    "Reset the system? A new run starts for all users: healthy, without faults. Charts and events "
    "start over; experiments and incidents of this run stay in the lists."
)
_ICONS = {
    "overview": "◉", "chaos": "⚡", "predictions": "◔", "incidents": "⬣", "architecture": "◫",
}  # fmt: skip


def index() -> str:
    """Write the page; Dash fills the places in braces.

    Dash's own scripts are a hundred times as large as those that feed the page. They wait in a
    template until the first parts are shown.
    """
    scripts = "\n    ".join(
        f'<script src="/assets/{path.name}?m={path.stat().st_mtime_ns}"></script>'
        for path in sorted(ASSETS.glob("*.js"))
    )
    return f"""<!DOCTYPE html>
<html lang="en">
  <head>
    {{%metas%}}
    <title>{{%title%}}</title>
    {{%favicon%}}
    {{%css%}}
  </head>
  <body>
    {html(_app())}
    <div hidden>{{%app_entry%}}</div>
    {{%config%}}
    <template id="dash">{{%scripts%}}{{%renderer%}}</template>
    {scripts}
  </body>
</html>
"""


def _app() -> Node:
    return h(
        "div.app",
        h("a.skip", "Skip to content", href="#content"),
        _top(),
        _navigation(),
        h(
            "main",
            place(ids.NOTICES, "notices"),
            views.overview(),
            view("chaos", "Chaos", views.chaos()),
            view("predictions", "Predictions and learning", views.predictions()),
            view("incidents", "Incidents and events", views.incidents()),
            view("architecture", "How the data flows", views.architecture()),
            id="content",
            tabindex="-1",
        ),
        _service_panel(),
        h("div", id="toasts", role="status", aria_live="polite"),
        h("div", id="dialogs"),
        id="app",
    )


def _top() -> Node:
    return h(
        "header.top",
        h("a.brand", "SRE Edge", href="/"),
        h("span.pill", "connecting", id="connection", role="status"),
        place(ids.HEALTH, "inline"),
        h("span.push"),
        place(ids.CLOCK, "inline clock"),
        place(ids.RANGE, "inline"),
        h(
            "div.tools",
            h("button.quiet", "Reset", id="reset", type="button", data_action="reset",
              data_confirm=RESET),
            h("button.quiet", "Go to…", id="go-to", type="button", title="Ctrl+K"),
            h("button.quiet.icon", "◐", id="theme", type="button"),
            h("button.quiet.icon", "?", id="help", type="button"),
        ),
    )  # fmt: skip


def _navigation() -> Node:
    links = [
        h(
            "a",
            h("span.icon", _ICONS[name], aria_hidden="true"),
            h("span", name.capitalize()),
            href=f"/{'' if name == 'overview' else name}",
            data_nav=name,
        )
        for name in ids.NAVIGATION
    ]
    return h("nav.navigation", links, aria_label="Views")


def _service_panel() -> Node:
    return h(
        "aside",
        place(ids.SERVICE_HEAD),
        figure(ids.CHARTS, "charts-place"),
        h(
            "p.legend",
            h("span.muted", "┄ objective"),
            h("span.faulty", "▮ fault"),
            h("span.status.degraded", "┊ alarm"),
            h("span.status.down", "│ incident begins"),
            h("span.muted", "times are simulated"),
        ),
        place(ids.SERVICE_BODY),
        id="service",
        hidden=True,
        aria_label="Service",
    )
