"""Risk and the six metrics of one service over time, one above the other, with one crosshair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dashboard.figures import theme
from dashboard.figures.theme import Figure
from sre_edge.v1 import history_pb2, topology_pb2

PANELS = (
    # title, unit, metric, which end of a bucket is the bad one
    ("Incident probability", "%", "incident_probability", "maximum"),
    ("Latency p95", "ms", "latency_p95_ms", "maximum"),
    ("Errors", "%", "error_rate_percent", "maximum"),
    ("CPU", "%", "cpu_percent", "maximum"),
    ("Memory", "%", "memory_percent", "maximum"),
    ("Throughput", "req/s", "throughput_rps", "minimum"),
    ("Availability", "%", "availability_percent", "minimum"),
)
METRICS = tuple(metric for _, _, metric, _ in PANELS)
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


def to_history(
    series: Sequence[history_pb2.HistorySeries], start: datetime, bucket_s: float
) -> History:
    """Convert an answer of the history: of each bucket the worse end, so that no peak is lost."""
    worse = {metric: end for _, _, metric, end in PANELS}
    values: dict[str, list[float | None]] = {}
    for one in series:
        scale = 100.0 if one.metric == "incident_probability" else 1.0
        end = getattr(one, worse.get(one.metric, "last"))
        values[one.metric] = [scale * v if math.isfinite(v) else None for v in end]
    return History(start, bucket_s, values)


def charts(
    history: History,
    service: topology_pb2.Service,
    notes: Notes,
    span: tuple[datetime, datetime],
    threshold: float | None = None,
) -> Figure:
    """Draw all charts as one figure, so that they share axis and crosshair.

    Parameters
    ----------
    span
        Start and end of the time axis, simulated clock.
    threshold
        Probability from which on an alarm is raised, 0 to 1.
    """
    axes: dict[str, Any] = {}
    for i, (_, unit, metric, _) in enumerate(PANELS):
        top = 1.0 - i / len(PANELS)
        axes[_axis("yaxis", i)] = {
            "domain": [top - 0.74 / len(PANELS), top - 0.2 / len(PANELS)],
            "rangemode": "tozero", "nticks": 3, "gridcolor": theme.GRID, "zeroline": False,
            "fixedrange": True,
            **({"range": [0, 105]} if unit == "%" and metric != "error_rate_percent" else {}),
        }  # fmt: skip
    return {
        "data": [_line(history, i) for i in range(len(PANELS))],
        "layout": {
            **theme.LAYOUT,
            **axes,
            "xaxis": {
                "type": "date", "range": [_iso(time) for time in span], "tickformat": "%H:%M:%S",
                "nticks": 5, "gridcolor": theme.GRID, "anchor": f"y{len(PANELS)}",
                "fixedrange": True, "showspikes": True, "spikethickness": 1,
                "spikemode": "across", "spikecolor": theme.OBJECTIVE, "spikedash": "solid",
            },
            "annotations": [
                theme.title(f"{title}, {unit}", 1.0 - i / len(PANELS))
                for i, (title, unit, _, _) in enumerate(PANELS)
            ],
            "shapes": [*_bands(notes), *_objectives(service, threshold), *_marks(notes)],
            "hovermode": "x",
            "margin": {"l": 44, "r": 8, "t": 4, "b": 24},
            "height": HEIGHT_PER_PANEL * len(PANELS),
            "uirevision": service.name,
        },
    }  # fmt: skip


def _axis(name: str, i: int) -> str:
    return name if i == 0 else f"{name}{i + 1}"


def _iso(time: datetime) -> str:
    """Write a time as Plotly takes it; the browser moves it to the viewer's zone."""
    return time.isoformat()


def _line(history: History, i: int) -> dict[str, Any]:
    title, unit, metric, _ = PANELS[i]
    return {
        "type": "scatter",
        "mode": "lines",
        "x0": _iso(history.start) if history.start else None,
        "dx": 1000.0 * history.bucket_s,
        "y": list(history.values.get(metric, ())),
        "yaxis": _axis("y", i),
        "connectgaps": False,
        "line": {"width": 1.8, "color": theme.LINE if i else theme.RISK_LINE},
        "hovertemplate": f"%{{y:.3g}} {unit}<extra>{title}</extra>",
    }


def _objectives(service: topology_pb2.Service, threshold: float | None) -> list[dict[str, Any]]:
    """Draw objectives and the alarm threshold as dashed lines."""
    levels = {
        "latency_p95_ms": service.slo.latency_ms,
        "error_rate_percent": service.slo.error_rate_percent,
        "availability_percent": service.slo.availability_percent,
    }
    if service.slo.HasField("throughput_rps"):
        levels["throughput_rps"] = service.slo.throughput_rps
    if threshold is not None:
        levels["incident_probability"] = 100.0 * threshold
    return [
        {
            "type": "line", "xref": "paper", "x0": 0, "x1": 1,
            "yref": _axis("y", METRICS.index(metric)), "y0": value, "y1": value,
            "line": {"dash": "dash", "width": 1.2, "color": theme.OBJECTIVE},
        }
        for metric, value in levels.items()
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
