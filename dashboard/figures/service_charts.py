"""Risk and the metrics of one service over time, one above the other, with one crosshair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dashboard.figures import theme
from dashboard.figures.theme import Figure
from sre_edge.v1 import catalog_pb2, history_pb2, topology_pb2

PROBABILITY = "incident_probability"
_FIRST = (PROBABILITY, "latency_p95_ms", "error_rate_percent")
"""On top; the others follow in the order of the catalog."""
_ZOOMED = frozenset({"error_rate_percent"})
"""A few percent matter: its axis ends where the values do."""
HEIGHT_PER_PANEL = 96


@dataclass(frozen=True, slots=True)
class Notes:
    """Marks in the charts, in simulated time.

    Attributes
    ----------
    own_faults, other_faults
        Start and end of faults on this service, and on others.
    alarms, onsets
        Times at which an alarm was raised, and at which an incident began.
    """

    own_faults: Sequence[tuple[datetime, datetime]] = ()
    other_faults: Sequence[tuple[datetime, datetime]] = ()
    alarms: Sequence[datetime] = ()
    onsets: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Series of one service on one grid of time.

    Attributes
    ----------
    start
        Start of the first bucket, simulated clock; None without any.
    bucket_s
        Length of a bucket in seconds.
    values
        Values by metric; None where nothing was observed.
    """

    start: datetime | None = None
    bucket_s: float = 1.0
    values: Mapping[str, Sequence[float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart.

    Attributes
    ----------
    metric, title, unit
        As in the catalog; the probability is drawn in percent.
    end
        Which end of a bucket is the bad one: "minimum" or "maximum".
    maximum
        Where its axis ends; None: where its values do.
    """

    metric: str
    title: str
    unit: str
    end: str
    maximum: float | None


def panels(catalog: catalog_pb2.Catalog) -> tuple[Panel, ...]:
    """Choose the metrics of a service that have a chart."""
    charted = [
        metric
        for metric in catalog.metrics
        if metric.chart and metric.scope == catalog_pb2.METRIC_SCOPE_SERVICE
    ]
    order = {name: place for place, name in enumerate(_FIRST)}
    charted.sort(key=lambda metric: order.get(metric.name, len(_FIRST)))
    return tuple(
        Panel(
            metric.name,
            metric.title,
            "%" if metric.name == PROBABILITY else metric.unit,
            "maximum" if metric.higher_is_worse else "minimum",
            metric.maximum * _scale(metric.name)
            if metric.HasField("maximum") and metric.name not in _ZOOMED
            else None,
        )
        for metric in charted
    )


def _scale(metric: str) -> float:
    return 100.0 if metric == PROBABILITY else 1.0


def to_history(
    shown: Sequence[Panel],
    series: Sequence[history_pb2.HistorySeries],
    start: datetime,
    bucket_s: float,
) -> History:
    """Take what the history answers: of each bucket the worse end, so that no peak is lost."""
    worse = {panel.metric: panel.end for panel in shown}
    values: dict[str, list[float | None]] = {}
    for one in series:
        scale = _scale(one.metric)
        end = getattr(one, worse.get(one.metric, "last"))
        values[one.metric] = [scale * v if math.isfinite(v) else None for v in end]
    return History(start, bucket_s, values)


def charts(
    shown: Sequence[Panel],
    history: History,
    service: topology_pb2.Service,
    notes: Notes,
    span: tuple[datetime, datetime],
    threshold: float | None = None,
) -> Figure:
    """Draw all charts as one figure, so that they share axis and crosshair.

    Parameters
    ----------
    shown
        One chart each, from top to bottom.
    span
        Start and end of the time axis, simulated clock.
    threshold
        Probability from which on an alarm is raised, 0 to 1.
    """
    axes: dict[str, Any] = {}
    for i, panel in enumerate(shown):
        top = 1.0 - i / len(shown)
        axes[_axis("yaxis", i)] = {
            "domain": [top - 0.74 / len(shown), top - 0.2 / len(shown)],
            "rangemode": "tozero", "nticks": 3, "gridcolor": theme.GRID, "zeroline": False,
            "fixedrange": True,
            **({} if panel.maximum is None else {"range": [0, 1.05 * panel.maximum]}),
        }  # fmt: skip
    return {
        "data": [_line(history, panel, i) for i, panel in enumerate(shown)],
        "layout": {
            **theme.LAYOUT,
            **axes,
            "xaxis": {
                "type": "date", "range": [_iso(time) for time in span],
                "tickformat": "%H:%M:%S\n%Y-%m-%d UTC",
                "hoverformat": "%Y-%m-%d %H:%M:%S UTC",
                "nticks": 5, "gridcolor": theme.GRID, "anchor": f"y{len(shown)}",
                "fixedrange": True, "showspikes": True, "spikethickness": 1,
                "spikemode": "across", "spikecolor": theme.OBJECTIVE, "spikedash": "solid",
            },
            "annotations": [
                theme.title(
                    f"{panel.title}, {panel.unit}".rstrip(", "), 1.0 - i / len(shown)
                )
                for i, panel in enumerate(shown)
            ],
            "shapes": [*_bands(notes), *_objectives(shown, service, threshold), *_marks(notes)],
            "hovermode": "x",
            "margin": {"l": 44, "r": 8, "t": 4, "b": 40},
            "height": HEIGHT_PER_PANEL * len(shown),
            "uirevision": service.name,
        },
    }  # fmt: skip


def _axis(name: str, i: int) -> str:
    return name if i == 0 else f"{name}{i + 1}"


def _iso(time: datetime) -> str:
    """Write a time as Plotly takes it: it knows no zones, and leaves it in UTC."""
    return time.isoformat()


def _line(history: History, panel: Panel, i: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x0": _iso(history.start) if history.start else None,
        "dx": 1000.0 * history.bucket_s,
        "y": list(history.values.get(panel.metric, ())),
        "yaxis": _axis("y", i),
        "connectgaps": False,
        "line": {
            "width": 1.8,
            "color": theme.RISK_LINE if panel.metric == PROBABILITY else theme.LINE,
        },
        "hovertemplate": f"%{{y:.3g}} {panel.unit}<extra>{panel.title}</extra>",
    }


def _objectives(
    shown: Sequence[Panel], service: topology_pb2.Service, threshold: float | None
) -> list[dict[str, Any]]:
    """Draw objectives and the alarm threshold as dashed lines."""
    places = {panel.metric: place for place, panel in enumerate(shown)}
    levels = {
        "latency_p95_ms": service.slo.latency_ms,
        "error_rate_percent": service.slo.error_rate_percent,
        "availability_percent": service.slo.availability_percent,
    }
    if service.slo.HasField("throughput_rps"):
        levels["throughput_rps"] = service.slo.throughput_rps
    if threshold is not None:
        levels[PROBABILITY] = 100.0 * threshold
    return [
        {
            "type": "line", "xref": "paper", "x0": 0, "x1": 1,
            "yref": _axis("y", places[metric]), "y0": value, "y1": value,
            "line": {"dash": "dash", "width": 1.2, "color": theme.OBJECTIVE},
        }
        for metric, value in levels.items()
        if metric in places and math.isfinite(value)  # an objective that is not known is NaN
    ]  # fmt: skip


def _bands(notes: Notes) -> list[dict[str, Any]]:
    spans = [(span, theme.OTHER_FAULT) for span in notes.other_faults]
    spans += [(span, theme.FAULT) for span in notes.own_faults]
    return [
        {
            "type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
            "x0": _iso(start), "x1": _iso(end), "line": {"width": 0}, "fillcolor": colour,
        }
        for (start, end), colour in spans
    ]  # fmt: skip


def _marks(notes: Notes) -> list[dict[str, Any]]:
    """Draw alarms dotted and onsets of incidents solid, through all charts."""
    lines = [(time, theme.ALARM, "dot") for time in notes.alarms]
    lines += [(time, theme.INCIDENT, "solid") for time in notes.onsets]
    return [
        {
            "type": "line", "xref": "x", "x0": _iso(time), "x1": _iso(time), "yref": "paper",
            "y0": 0, "y1": 1, "line": {"dash": dash, "width": 1.5, "color": colour},
        }
        for time, colour, dash in lines
    ]  # fmt: skip
