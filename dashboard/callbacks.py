"""Wires the page to its actions; nothing is decided here."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output

from dashboard import actions, ids
from dashboard.source.state import Provider


def register(dash: Dash, provider: Provider) -> None:
    """Register all callbacks."""

    @dash.callback(Output(ids.ANSWER, "data"), Input(ids.ACTION, "data"), prevent_initial_call=True)
    def act(asked: dict[str, Any]) -> dict[str, Any]:
        answer = actions.perform(provider, asked["name"], asked.get("values", {}))
        return {**answer, "asked": asked}

    # The browser tells what came of it, and starts what feeds the page once it is there.
    dash.clientside_callback(
        ClientsideFunction("sreEdge", "answered"),
        Output(ids.ANSWER, "modified_timestamp"),
        Input(ids.ANSWER, "data"),
    )
