"""How nodes and edges look: by class, so that a tick changes classes and labels only.

Okabe-Ito colours, and a shape and a word with each. Colours of text and ground belong to the colour
scheme, which the page sets.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

NEUTRAL, OUTLINE, SELECTED, FAULT = "#7d8a95", "#1d2730", "#0072B2", "#8b45d6"
RISKS = {
    "medium": ("#f2b134", 7, 0.35),
    "high": ("#e8702a", 11, 0.4),
    "critical": ("#c2182b", 15, 0.45),
}
"""Colour, width and opacity of the halo by risk level: wider and stronger with the risk."""

_BADGE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="22" height="22" viewBox="0 0 22 22">'
    f'<circle cx="11" cy="11" r="10" fill="{FAULT}" stroke="white" stroke-width="1.5"/>'
    '<path d="M12.5 4 6.5 12h4l-1 6 6-8h-4z" fill="white"/></svg>'
)

STYLESHEET: list[dict[str, Any]] = [
    {
        "selector": "node",
        "style": {
            "label": "data(label)",
            "text-wrap": "wrap",
            "text-valign": "bottom",
            "text-margin-y": 8,
            "font-size": 13,
            "font-family": "system-ui, sans-serif",
            "line-height": 1.25,
            "color": "#55626e",
            "min-zoomed-font-size": 7,
            "width": 38,
            "height": 38,
            "border-width": 2,
            "border-color": OUTLINE,
            "background-color": NEUTRAL,
            "shape": "diamond",
        },
    },
    {"selector": ".healthy", "style": {"background-color": "#009E73", "shape": "ellipse"}},
    {
        "selector": ".degraded",
        "style": {"background-color": "#E69F00", "shape": "triangle", "width": 44, "height": 42},
    },
    {
        "selector": ".down",
        "style": {"background-color": "#D55E00", "shape": "octagon", "width": 42, "height": 42},
    },
    {
        "selector": "node.part",
        "style": {
            "shape": "round-rectangle",
            "width": 136,
            "height": 58,
            "background-opacity": 0,
            "border-color": SELECTED,
            "text-valign": "center",
            "text-margin-y": 0,
            "text-max-width": 130,
        },
    },
    {"selector": "node.group", "style": {"width": 56, "height": 56, "border-width": 3}},
    *(
        {
            "selector": f"node.risk-{level}",
            "style": {
                "underlay-color": colour,
                "underlay-opacity": opacity,
                "underlay-padding": padding,
                "underlay-shape": "ellipse",
            },
        }
        for level, (colour, padding, opacity) in RISKS.items()
    ),
    {
        "selector": "node.faulty",
        "style": {
            "background-image": f"data:image/svg+xml;utf8,{quote(_BADGE)}",
            "background-width": 20,
            "background-height": 20,
            "background-position-x": "100%",
            "background-position-y": "0%",
            "background-offset-x": 8,
            "background-offset-y": -8,
            "background-clip": "none",
            "background-image-containment": "over",
            "bounds-expansion": 12,
        },
    },
    {"selector": "node.selected", "style": {"border-width": 5, "border-color": SELECTED}},
    {
        "selector": "edge",
        "style": {
            "curve-style": "bezier",
            "target-arrow-shape": "triangle",
            "arrow-scale": 1.1,
            "width": "data(width)",
            "line-color": NEUTRAL,
            "target-arrow-color": NEUTRAL,
            "label": "data(label)",
            "font-size": 11,
            "min-zoomed-font-size": 7,
            "font-family": "system-ui, sans-serif",
            "color": "#55626e",
            "text-margin-y": -9,
            "text-rotation": "autorotate",
        },
    },
    {"selector": "edge.optional", "style": {"line-style": "dashed"}},
    {
        "selector": "edge.some-errors",
        "style": {"line-color": "#E69F00", "target-arrow-color": "#E69F00"},
    },
    {
        "selector": "edge.failing",
        "style": {"line-color": "#D55E00", "target-arrow-color": "#D55E00"},
    },
    {"selector": "edge.faulty", "style": {"line-color": FAULT, "target-arrow-color": FAULT}},
    {"selector": ".dimmed", "style": {"opacity": 0.25}},
]
