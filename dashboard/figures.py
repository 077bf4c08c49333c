"""Charts of one service; pure functions of plain data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sre_edge.v1 import snapshot_pb2, topology_pb2

PANELS = (
    ("Risk", "%", None),
    ("Latency", "ms", "latency_p95_ms"),
    ("Error rate", "%", "error_rate_percent"),
    ("CPU", "%", "cpu_percent"),
    ("Memory", "%", "memory_percent"),
    ("Throughput", "req/s", "throughput_rps"),
    ("Availability", "%", "availability_percent"),
)
LINE, RISK_LINE, OBJECTIVE, FAULT = "#2b8cc4", "#c2639a", "#8b98a3", "rgba(156, 91, 210, 0.18)"
GRID = "rgba(139, 152, 163, 0.25)"
HEIGHT_PER_PANEL = 104
SHOWN = 150
"""Snapshots that a chart shows: five simulated minutes."""

Figure = dict[str, Any]


def charts(
    snapshots: Sequence[snapshot_pb2.Snapshot], service: topology_pb2.Service | None
) -> Figure:
    """Risk and the six metrics of a service over time, one above the other, on one time axis."""
    snapshots = snapshots[-SHOWN:]
    rows = [_series(snapshots, service.name)] if service else []
    times = [taken.time.ToDatetime(tzinfo=UTC) for taken in snapshots]
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    for i, (title, unit, _) in enumerate(PANELS):
        suffix = "" if i == 0 else str(i + 1)
        top = 1.0 - i / len(PANELS)
        axes[f"yaxis{suffix}"] = {
            "domain": [top - 0.72 / len(PANELS), top - 0.18 / len(PANELS)],
            "rangemode": "tozero",
            "nticks": 3,
            "gridcolor": GRID,
            "zeroline": False,
            "fixedrange": True,
            **({"range": [0, 105]} if unit == "%" and title != "Error rate" else {}),
        }
        notes.append(
            {
                "text": f"{title}, {unit}" if title != "Latency" else "Latency p95, ms",
                "xref": "paper", "yref": "paper", "x": 0, "y": top,
                "xanchor": "left", "yanchor": "top", "showarrow": False, "font": {"size": 12},
            }
        )  # fmt: skip
        data += [_line(times, values[i], i) for values in rows]
    if service:
        shapes = [*_objectives(service), *_fault_bands(snapshots, service.name)]
    return {
        "data": data,
        "layout": {
            **axes,
            "xaxis": {
                "gridcolor": GRID, "anchor": f"y{len(PANELS)}", "fixedrange": True,
                "type": "date", "tickformat": "%H:%M:%S", "nticks": 5, "showspikes": True,
                "spikethickness": 1, "spikemode": "across", "spikecolor": OBJECTIVE,
            },
            "annotations": notes,
            "shapes": shapes,
            "showlegend": False,
            "hovermode": "x",
            "margin": {"l": 44, "r": 8, "t": 4, "b": 24},
            "height": HEIGHT_PER_PANEL * len(PANELS),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "system-ui, sans-serif", "size": 11, "color": "#7f8c96"},
            "uirevision": service.name if service else "",
        },
    }  # fmt: skip


def _line(times: list[datetime], values: list[float | None], i: int) -> dict[str, Any]:
    title, unit, _ = PANELS[i]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": times,
        "y": values,
        "yaxis": f"y{i + 1}" if i else "y",
        "name": title,
        "connectgaps": False,
        "line": {"width": 1.8, "color": LINE if i else RISK_LINE},
        "hovertemplate": f"%{{y:.3g}} {unit}<extra>{title}</extra>",
    }


def _series(snapshots: Sequence[snapshot_pb2.Snapshot], name: str) -> list[list[float | None]]:
    series: list[list[float | None]] = [[] for _ in PANELS]
    for taken in snapshots:
        found = next((s for s in taken.services if s.service == name), None)
        for i, (_, _, metric) in enumerate(PANELS):
            series[i].append(_value(found, metric))
    return series


def _value(service: snapshot_pb2.ServiceMetrics | None, metric: str | None) -> float | None:
    if service is None:
        return None
    if metric is None:
        known = service.HasField("prediction")
        return 100.0 * service.prediction.incident_probability if known else None
    return float(getattr(service, metric)) if service.HasField(metric) else None  # type: ignore[arg-type]


def _objectives(service: topology_pb2.Service) -> list[dict[str, Any]]:
    """Draw the objectives as dashed lines: latency, error rate and availability."""
    objectives = {
        1: service.slo.latency_ms,
        2: service.slo.error_rate_percent,
        6: service.slo.availability_percent,
    }
    return [
        {
            "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": f"y{i + 1}",
            "y0": value, "y1": value, "line": {"dash": "dash", "width": 1, "color": OBJECTIVE},
        }
        for i, value in objectives.items()
    ]  # fmt: skip


def _fault_bands(snapshots: Sequence[snapshot_pb2.Snapshot], name: str) -> list[dict[str, Any]]:
    """Shade the time in which a fault acted on the service."""
    if not snapshots:
        return []
    first = snapshots[0].time.ToDatetime(tzinfo=UTC)
    last = snapshots[-1].time.ToDatetime(tzinfo=UTC)
    seen: dict[str, list[Any]] = {}
    for taken in snapshots:
        for fault in taken.active_faults:
            if fault.target == name or fault.target.endswith(f"->{name}"):
                now = taken.time.ToDatetime(tzinfo=UTC)
                seen.setdefault(fault.id, [now, now])[1] = now
    return [
        {
            "type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
            "x0": max(begin, first), "x1": min(end, last), "line": {"width": 0}, "fillcolor": FAULT,
        }
        for begin, end in seen.values()
    ]  # fmt: skip
