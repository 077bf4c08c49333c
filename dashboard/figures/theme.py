"""How charts look, on light and dark ground alike; the page colours their text."""

from __future__ import annotations

from typing import Any

Figure = dict[str, Any]

LINE, RISK_LINE, OTHER_LINE = "#2b8cc4", "#c2639a", "#8b98a3"
OBJECTIVE, THRESHOLD = "#8b98a3", "#c2639a"
FAULT, OTHER_FAULT = "rgba(139, 69, 214, 0.20)", "rgba(139, 69, 214, 0.08)"
INCIDENT, ALARM = "#d55e00", "#e69f00"
GRID = "rgba(139, 152, 163, 0.25)"

LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", "size": 11, "color": "#7f8c96"},
    "showlegend": False,
}


def title(text: str, y: float = 1.0) -> dict[str, Any]:
    """Write what a chart shows into its upper left corner, instead of a legend."""
    return {
        "text": text, "xref": "paper", "yref": "paper", "x": 0, "y": y,
        "xanchor": "left", "yanchor": "top", "showarrow": False, "font": {"size": 12},
    }  # fmt: skip
