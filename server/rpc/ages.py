"""How old the values of a snapshot are, by field of its messages."""

from __future__ import annotations

from collections.abc import Mapping

from telemetry.frame import Frame
from telemetry.graph import FloatArray, IntArray

Ages = Mapping[str, FloatArray]
"""Fields with their values, (N,) seconds; empty: everything is fresh."""


def of_services(frame: Frame, chosen: IntArray) -> Ages:
    """Give the ages of the services with these indices."""
    if (age := frame.age) is None:
        return {}
    return {
        "requests_age_seconds": age.requests_s[0, chosen],
        "resources_age_seconds": age.resources_s[0, chosen],
    }


def of_edges(frame: Frame, shown: IntArray) -> Ages:
    """Give the ages of the edges with these indices."""
    return {} if frame.age is None else {"age_seconds": frame.age.edges_s[0, shown]}
