"""Episodes of one system with the future that is learned and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.definitions.incidents import BoolArray, Incident
from telemetry.graph import ServiceGraph

UNKNOWN_TYPE = -1
"""Type of an incident where only its effects are known."""


@dataclass(frozen=True, eq=False)
class LabelledEpisodes:
    """B episodes of one system, the T frames that are scored; B x S series.

    Attributes
    ----------
    name, graph
        Name and graph of the system.
    features
        (T, B, S, F) float32, in the order of `ml.features.NAMES`.
    label
        (T, B, S) whether an incident begins within the horizon.
    timely
        (T, B, S) whether one begins for which an alarm now would still be in time.
    scored
        (T, B, S) False in an incident and in the 30 s after it.
    incidents
        Incidents with their onset in the scored frames, which are numbered from 0.
    types
        Index of the type of each incident in `INCIDENT_TYPES`, or `UNKNOWN_TYPE`.
    """

    name: str
    graph: ServiceGraph
    features: NDArray[np.float32]
    label: BoolArray
    timely: BoolArray
    scored: BoolArray
    incidents: tuple[Incident, ...]
    types: tuple[int, ...]
