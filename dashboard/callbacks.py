"""Wires the page to its functions; nothing is decided here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, no_update

from dashboard import faults, ids, view
from dashboard.events import kind_name
from dashboard.numbers import duration
from dashboard.provider import Provider
from sre_edge import SreEdgeError
from sre_edge.v1 import fault_pb2


def selected(search: str | None) -> str | None:
    """Name of the service that an address selects."""
    return next(iter(parse_qs((search or "").removeprefix("?")).get("service", [])), None)


def register(app: Dash, provider: Provider) -> None:
    """Register all callbacks."""
    _updates(app, provider)
    _selection(app)
    _chaos(app, provider)
    _reset(app, provider)


def _updates(app: Dash, provider: Provider) -> None:
    @app.callback(
        Output(ids.UPDATE, "data"),
        Output(ids.SEEN, "data"),
        Input(ids.CLOCK, "n_intervals"),
        Input(ids.ADDRESS, "search"),
        State(ids.SEEN, "data"),
    )
    def update(_: int | None, search: str | None, seen: str | None) -> Any:
        state, chosen = provider.state, selected(search)
        version = view.version(state, chosen)
        if version and version == seen:
            return no_update, no_update
        return view.page(state, chosen, datetime.now(UTC)), version

    # Applies only what differs from what is shown, and loads the page anew if its skeleton does.
    app.clientside_callback(
        ClientsideFunction("sreEdge", "render"),
        Output(ids.RENDERED, "modified_timestamp"),
        Input(ids.UPDATE, "data"),
        State(ids.RENDERED, "data"),
    )

    @app.callback(
        Output(ids.FEATURES, "children"),
        Input(ids.SHOW_FEATURES, "n_clicks"),
        State(ids.PANEL_TITLE, "children"),
        prevent_initial_call=True,
    )
    def show_features(_: int, service: str) -> str:
        try:
            found = provider.features(service).features
        except SreEdgeError as error:
            return str(error)
        width = max(len(name) for name in found)
        return "\n".join(f"{name:<{width}}  {found[name]:.4g}" for name in sorted(found))


def _selection(app: Dash) -> None:
    @app.callback(
        Output(ids.ADDRESS, "search"),
        Input(ids.GRAPH, "tapNodeData"),
        Input({"type": "card", "service": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def select(node: dict[str, str] | None, _: list[int]) -> Any:
        if ctx.triggered_id == ids.GRAPH:
            name = node["id"] if node else None
        else:
            clicked = ctx.triggered and ctx.triggered[0]["value"]
            name = ctx.triggered_id["service"] if clicked else None
        return f"?{urlencode({'service': name})}" if name else no_update

    @app.callback(Output(ids.TARGET, "value"), Input(ids.PANEL_TITLE, "children"))
    def follow(name: str | None) -> Any:
        return name or no_update

    app.clientside_callback(
        ClientsideFunction("sreEdge", "fit"),
        Output(ids.FIT, "title"),
        Input(ids.FIT, "n_clicks"),
        prevent_initial_call=True,
    )


def _chaos(app: Dash, provider: Provider) -> None:
    @app.callback(
        Output(ids.EFFECT, "children"), Input(ids.KIND, "value"), Input(ids.INTENSITY, "value")
    )
    def effect(kind: fault_pb2.FaultKind.ValueType, intensity: float | None) -> str:
        text = faults.effect(kind, 1.0 if intensity is None else intensity)
        return f"Effect: {text}." if text else ""

    @app.callback(
        Output(ids.CHAOS_MESSAGE, "children"),
        Output(ids.CHAOS_MESSAGE, "className"),
        Input(ids.INJECT, "n_clicks"),
        Input(ids.STOP_ALL, "n_clicks"),
        Input({"type": "stop", "slot": ALL}, "n_clicks"),
        State(ids.TARGET, "value"),
        State(ids.KIND, "value"),
        State(ids.DURATION, "value"),
        State(ids.INTENSITY, "value"),
        State(ids.RAMP, "value"),
        prevent_initial_call=True,
    )
    def act(
        _inject: int,
        _all: int,
        _stop: list[int],
        target: str,
        kind: fault_pb2.FaultKind.ValueType,
        duration_s: float | None,
        intensity: float | None,
        ramp_s: float | None,
    ) -> Any:
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            return no_update, no_update
        try:
            if ctx.triggered_id == ids.INJECT:
                text = _inject_fault(provider, target, kind, duration_s, intensity, ramp_s)
            elif ctx.triggered_id == ids.STOP_ALL:
                count = provider.stop(None)
                text = f"Stopped {count} fault{'' if count == 1 else 's'}"
            else:
                text = _stop_slot(provider, ctx.triggered_id["slot"])
        except SreEdgeError as error:
            return str(error), "message error"
        return text, "message"


def _inject_fault(
    provider: Provider,
    target: str | None,
    kind: fault_pb2.FaultKind.ValueType,
    duration_s: float | None,
    intensity: float | None,
    ramp_s: float | None,
) -> str:
    if duration_s is None:
        raise SreEdgeError("duration: expected a number of seconds from 1 to 3600")
    if intensity is None:
        raise SreEdgeError(f"intensity: expected a number up to {faults.MAX_INTENSITY:g}")
    fault = provider.inject(target or "", kind, duration_s, intensity, ramp_s)
    length = duration(fault.duration.ToTimedelta().total_seconds())
    return f"Injected {kind_name(fault.kind)} into {fault.target} for {length}"


def _stop_slot(provider: Provider, slot: int) -> str:
    latest = provider.state.latest
    active = list(latest.active_faults) if latest else []
    if slot >= len(active):
        return "That fault has ended already"
    provider.stop(active[slot].id)
    return f"Stopped {kind_name(active[slot].kind)} on {active[slot].target}"


def _reset(app: Dash, provider: Provider) -> None:
    app.clientside_callback(
        ClientsideFunction("sreEdge", "askReset"),
        Output(ids.RESET_DIALOG, "className"),
        Output(ids.RESET_MESSAGE, "children"),
        Input(ids.RESET, "n_clicks"),
        Input(ids.RESET_CANCEL, "n_clicks"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.RESET_DIALOG, "className", allow_duplicate=True),
        Output(ids.RESET_MESSAGE, "children", allow_duplicate=True),
        Input(ids.RESET_CONFIRM, "n_clicks"),
        prevent_initial_call=True,
    )
    def reset(_confirmed: int) -> tuple[Any, str]:
        try:
            provider.reset()
        except SreEdgeError as error:
            return no_update, str(error)
        return "overlay hidden", ""
