"""Types of incidents, derived from the simulation's causes (evaluation.md, section 1)."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from telemetry.frame import Truth

OVERLOADED = 1.4
THROTTLED = 0.95
MISSING = 0.6
WAITING = 0.6
WINDOW_FRAMES = 8
"""The first 16 s of an incident determine its type."""
KILLED_LATELY_FRAMES = 30


class IncidentType(StrEnum):
    """What drives a service into an incident."""

    CPU_SATURATION = "cpu_saturation"
    MEMORY_EXHAUSTION = "memory_exhaustion"
    LATENCY_DEGRADATION = "latency_degradation"
    ERROR_SURGE = "error_surge"
    DEPENDENCY_FAILURE = "dependency_failure"
    TRAFFIC_OVERLOAD = "traffic_overload"
    SERVICE_DOWN = "service_down"


INCIDENT_TYPES = tuple(IncidentType)


def incident_type(truths: list[Truth], copy: int, service: int, onset: int) -> IncidentType:
    """Determine the type of the incident that began in frame `onset` of a recording."""

    def values(name: str, first: int, last: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        frames = truths[max(first, 0) : last]
        return np.array([getattr(truth, name)[copy, service] for truth in frames])

    window = (onset, onset + WINDOW_FRAMES)
    before = (onset - 2, onset + 1)
    if values("memory_kills", onset - KILLED_LATELY_FRAMES, window[1]).sum() > 0:
        return IncidentType.MEMORY_EXHAUSTION
    usual = values("ready_replicas", onset - KILLED_LATELY_FRAMES, onset + 1).max()
    if _mean(values("ready_replicas", *window)) < MISSING * usual:
        return IncidentType.SERVICE_DOWN
    own = values("failed_own", *window).sum() + values("failed_network", *window).sum()
    dependency = values("failed_dependency", *window).sum()
    crowded = values("failed_rejected", *window).sum() + values("failed_timeout", *window).sum()
    failed = own + dependency + crowded
    if failed > 0 and dependency >= 0.5 * failed:
        return IncidentType.DEPENDENCY_FAILURE
    if failed > 0 and own >= 0.5 * failed:
        return IncidentType.ERROR_SURGE
    if _mean(values("dependency_latency_share", *window)) > WAITING:
        return IncidentType.DEPENDENCY_FAILURE
    # Only what came before the breach: retries overload a service after it.
    if values("offered_ratio", *before).max() > OVERLOADED:
        return IncidentType.TRAFFIC_OVERLOAD
    if _mean(values("cpu_load", *window)) > THROTTLED:
        return IncidentType.CPU_SATURATION
    return IncidentType.LATENCY_DEGRADATION


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0
