"""A window of a live system, and its labels."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.definitions.incident_types import INCIDENT_TYPES, incident_type
from ml.definitions.incidents import WINDOW_FRAMES, Incident
from ml.definitions.labelled import UNKNOWN_TYPE, LabelledEpisodes
from ml.definitions.labels import HORIZON_FRAMES, MIN_LEAD_FRAMES, labels, unscored
from telemetry.frame import Truth
from telemetry.graph import LATENCY_PERCENTILE, ServiceGraph

COMPLETE_FRAMES = HORIZON_FRAMES + WINDOW_FRAMES
"""Frames after a row until its label is known: an onset 60 s ahead is recognised 16 s after it."""
MIN_FRAMES = 15


@dataclass(frozen=True, eq=False)
class LiveWindow:
    """T successive frames of a live system, some N of its S services.

    Attributes
    ----------
    system
        Name of the system.
    names, indices
        Names of the kept services, and their (N,) indices among all services.
    features
        (T, N, F) float32, in the order of `ml.features.NAMES`.
    incidents
        Incidents of all services that overlap these frames or ended up to 30 s before, numbered
        from the first frame; those that are still open end with the last frame.
    truths
        T truths of the kept services, None where it is not known. They determine the types of
        incidents, nothing else.
    """

    system: str
    names: tuple[str, ...]
    indices: NDArray[np.intp]
    features: NDArray[np.float32]
    incidents: tuple[Incident, ...]
    truths: Sequence[Truth | None]


def labelled(window: LiveWindow) -> LabelledEpisodes | None:
    """Label the frames whose future is known, by the definitions of `docs/evaluation.md`.

    None if there are hardly any. Causes are not known: nothing is simulated again.
    """
    frames = len(window.features)
    complete = frames - COMPLETE_FRAMES
    if complete < MIN_FRAMES:
        return None
    place = {int(service): i for i, service in enumerate(window.indices)}
    kept = [replace(i, service=place[i.service]) for i in window.incidents if i.service in place]
    began = [incident for incident in kept if incident.onset >= 0]
    counted = sorted(
        (incident for incident in began if incident.onset < complete),
        key=lambda incident: (incident.service, incident.onset),
    )
    shape = (frames, 1, len(window.indices))
    return LabelledEpisodes(
        name=window.system,
        graph=discovered(window.system, window.names),
        features=window.features[:complete, None],
        label=labels(shape, began)[:complete],
        timely=labels(shape, began, MIN_LEAD_FRAMES + 1)[:complete],
        scored=~unscored(shape, [replace(i, onset=max(i.onset, 0)) for i in kept])[:complete],
        incidents=tuple(counted),
        types=tuple(_type(window.truths, incident) for incident in counted),
    )


def _type(truths: Sequence[Truth | None], incident: Incident) -> int:
    """Give the index of the type of an incident."""
    known = [truth for truth in truths if truth is not None]
    if len(known) < len(truths):
        return UNKNOWN_TYPE
    return INCIDENT_TYPES.index(incident_type(known, 0, incident.service, incident.onset))


def neighbourhood(graph: ServiceGraph, names: Iterable[str], limit: int) -> NDArray[np.intp]:
    """Give the services nearest to some, along calls in either direction; (N,) in order."""
    around: list[list[int]] = [[] for _ in range(graph.services)]
    for caller, callee in zip(graph.caller.tolist(), graph.callee.tolist(), strict=True):
        around[caller].append(callee)
        around[callee].append(caller)
    start = [graph.index[name] for name in names if name in graph.index]
    found = dict.fromkeys(start)
    waiting = deque(start)
    while waiting and len(found) < limit:
        for service in around[waiting.popleft()]:
            if service not in found:
                found[service] = None
                waiting.append(service)
    return np.array(sorted(list(found)[:limit]), dtype=np.intp)


def discovered(name: str, names: tuple[str, ...]) -> ServiceGraph:
    """Give a graph of which nothing but the names of its services is known."""
    unknown = np.full(len(names), np.nan)
    nothing = np.empty(0)
    return ServiceGraph(
        name=name,
        names=names,
        kinds=("service",) * len(names),
        entry=np.zeros(len(names), dtype=np.bool_),
        caller=np.empty(0, dtype=np.intp),
        callee=np.empty(0, dtype=np.intp),
        required=np.empty(0, dtype=np.bool_),
        calls_per_request=nothing,
        timeout_ms=nothing,
        retries=nothing,
        replicas=unknown,
        ingress_rps=unknown,
        slo_latency_ms=unknown,
        slo_latency_percentile=np.full(len(names), LATENCY_PERCENTILE),
        slo_error_rate_percent=unknown,
        slo_availability_percent=unknown,
        slo_throughput_rps=unknown,
    )
