"""Quality of a model as plots: reliability, lead times, recall against false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.figures import theme
from dashboard.figures.theme import Figure
from dashboard.text.times import length
from sre_edge.v1 import model_pb2

HEIGHT = 240


def _layout(x: str, y: str, **more: Any) -> dict[str, Any]:
    axis = {"gridcolor": theme.GRID, "zeroline": False, "fixedrange": True, "automargin": True}
    return {
        **theme.LAYOUT,
        "height": HEIGHT,
        "margin": {"l": 48, "r": 12, "t": 8, "b": 40},
        "xaxis": {**axis, "title": {"text": x, "font": {"size": 11}}},
        "yaxis": {**axis, "title": {"text": y, "font": {"size": 11}}},
        **more,
    }


def reliability(curves: model_pb2.ModelCurves) -> Figure:
    """Draw the observed frequency over the predicted probability; the diagonal is perfect."""
    bins = curves.reliability
    return {
        "data": [
            {"type": "scatter", "mode": "lines", "x": [0, 100], "y": [0, 100], "hoverinfo": "skip",
             "line": {"dash": "dash", "width": 1.2, "color": theme.OBJECTIVE}},
            {"type": "scatter", "mode": "lines+markers",
             "x": [100 * one.said for one in bins], "y": [100 * one.happened for one in bins],
             "text": [f"{one.rows} rows" for one in bins],
             "line": {"width": 1.8, "color": theme.LINE}, "marker": {"size": 7},
             "hovertemplate": "predicted %{x:.0f} %, observed %{y:.0f} %<br>%{text}"
                              "<extra></extra>"},
        ],
        "layout": _layout("Predicted probability, %", "Observed incidents, %"),
    }  # fmt: skip


def lead_times(curves: model_pb2.ModelCurves) -> Figure:
    """Count foreseeable incidents by how early they were foreseen."""
    bins = curves.lead_times
    names = [length(getattr(one, "from")) if one.HasField("from") else "missed" for one in bins]
    colours = [theme.LINE if one.HasField("from") else theme.INCIDENT for one in bins]
    return {
        "data": [
            {"type": "bar", "x": names, "y": [one.incidents for one in bins],
             "marker": {"color": colours},
             "hovertemplate": "%{x}: %{y} incidents<extra></extra>"},
        ],
        "layout": _layout("", "Incidents", bargap=0.25),
    }  # fmt: skip


def trade_off(curves: model_pb2.ModelCurves, threshold: float) -> Figure:
    """Draw the share of incidents that is foreseen over the number of false alarms.

    Thresholds for which another one foresees as much with fewer false alarms are left out: at the
    lowest, alarms begin too early or never end, so that fewer incidents count as foreseen.
    """
    known = [p for p in curves.operating_points if p.HasField("foreseeable_recall")]
    near = min(known, key=lambda p: abs(p.threshold - threshold), default=None)
    points = _worth_it(known)
    chosen = [near] if near is not None else []
    return {
        "data": [
            {"type": "scatter", "mode": "lines",
             "x": [p.false_alarms_per_episode for p in points],
             "y": [100 * p.foreseeable_recall for p in points],
             "text": [f"{p.threshold:.2f}" for p in points],
             "line": {"width": 1.8, "color": theme.LINE},
             "hovertemplate": "threshold %{text}: %{y:.0f} % foreseen, %{x:.2f} false alarms"
                              "<extra></extra>"},
            {"type": "scatter", "mode": "markers+text",
             "x": [p.false_alarms_per_episode for p in chosen],
             "y": [100 * p.foreseeable_recall for p in chosen],
             "text": ["in use" for _ in chosen], "textposition": "bottom right",
             "marker": {"size": 10, "color": theme.RISK_LINE}, "hoverinfo": "skip"},
        ],
        "layout": _layout("False alarms per episode of 15 min", "Incidents foreseen, %"),
    }  # fmt: skip


def _worth_it(points: Sequence[model_pb2.OperatingPoint]) -> list[model_pb2.OperatingPoint]:
    """Keep the points that foresee more than all with fewer false alarms."""
    kept: list[model_pb2.OperatingPoint] = []
    for one in sorted(points, key=lambda p: (p.false_alarms_per_episode, -p.foreseeable_recall)):
        if not kept or one.foreseeable_recall > kept[-1].foreseeable_recall:
            kept.append(one)
    return kept
