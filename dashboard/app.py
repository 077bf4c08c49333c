"""Assembles the dashboard."""

from __future__ import annotations

from dash import Dash

from dashboard import callbacks, page
from dashboard.address import SERVICES, VIEWS
from dashboard.live import PATH, Drawings, Tab
from dashboard.page import dash_components
from dashboard.security import App, Receive, SameOrigin, Scope, Send, headers
from dashboard.settings import Settings
from dashboard.source.state import Provider


def build(provider: Provider, settings: Settings) -> App:
    """Make the ASGI application: Dash, and the WebSocket that updates the pages."""
    dash = Dash(
        "dashboard",
        backend="fastapi",
        title="SRE Edge",
        update_title="",
        serve_locally=True,
        assets_ignore=r".*\.js",  # the page loads them itself, before those of Dash
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "light dark"},
        ],
    )
    dash.index_string = page.index()
    dash.layout = dash_components.layout()
    callbacks.register(dash, provider)
    drawings = Drawings(provider)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await dash.server(_as_one_page(scope), receive, send)
        elif scope["path"] != PATH:
            await send({"type": "websocket.close", "code": 1008})
        else:
            await receive()
            await send({"type": "websocket.accept"})
            await Tab(provider, drawings).serve(receive, send)

    return SameOrigin(app, settings.allowed_hosts, headers(dash.csp_hashes()))


def _as_one_page(scope: Scope) -> Scope:
    """All views are one page to Dash, which is not set up by a first request of another path."""
    path = scope.get("path", "")
    if path in VIEWS.values() or path.startswith(SERVICES):
        return {**scope, "path": "/", "raw_path": b"/"}
    return scope
