"""Puts the dashboard together."""

from __future__ import annotations

from typing import Any

from dash import Dash

from dashboard import callbacks, layout
from dashboard.provider import Provider
from dashboard.security import SameOrigin
from dashboard.settings import Settings


def build(provider: Provider, settings: Settings) -> Any:
    """Make the ASGI application."""
    app = Dash(
        "dashboard",
        backend="fastapi",
        title="SRE Edge",
        update_title="",
        serve_locally=True,
        suppress_callback_exceptions=True,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.layout = lambda: layout.page(provider.state)
    callbacks.register(app, provider)
    return SameOrigin(app.server, settings.allowed_hosts)
