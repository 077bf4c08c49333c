"""How failures spread to other services: data to learn the spread from, and to score it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ml.definitions.incidents import Incident
from ml.definitions.labels import HORIZON_FRAMES
from ml.episodes.recording import Recording
from ml.features import NAMES
from ml.features.health import seed_cascade_risk
from ml.serving.cascade import EDGE_INPUTS, Spread, edge_inputs
from telemetry.graph import FloatArray

_SEED_COLUMNS = [
    NAMES.index(name) for name in ("cpu_percent", "error_rate_percent", "availability_percent")
]
AT_ONCE_FRAMES = 2
"""A caller whose incident begins so much earlier may still have got it from the callee."""


class SpreadRows(NamedTuple):
    """Calls to services whose incident began: (N, K) inputs, (N,) whether the caller followed."""

    inputs: FloatArray
    followed: NDArray[np.bool_]


def spread_rows(recording: Recording) -> SpreadRows:
    """Look at every call to a service whose incident began, unless its caller was in one."""
    graph = recording.graph
    onsets = _onsets(recording)
    inputs, followed = [np.empty((0, len(EDGE_INPUTS)))], []
    for incident in recording.incidents:
        edges = np.flatnonzero(
            (graph.callee == incident.service) & (graph.caller != incident.service)
        )
        free = [e for e in edges if not _in_trouble(onsets, incident, int(graph.caller[e]))]
        if free:
            before = recording.features[max(incident.onset - 1, 0), incident.copy]
            inputs.append(edge_inputs(graph, before)[free])
            followed += [_follows(onsets, incident, int(graph.caller[e])) for e in free]
    return SpreadRows(np.concatenate(inputs), np.array(followed, dtype=np.bool_))


def concatenated_spread(parts: Sequence[SpreadRows]) -> SpreadRows:
    """Put rows together."""
    return SpreadRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def cascade_figures(recordings: Sequence[Recording], spread: Spread) -> dict[str, Any]:
    """Score the cascade risk, and the seed's rule, against the cascades that happened.

    For each incident of a service that is no entry, while no entry is in trouble: did an incident
    of an entry follow within 60 s? The risk is that of the frame before it began.
    """
    risks, rules, reached = [], [], []
    for recording in recordings:
        graph = recording.graph
        entries = np.flatnonzero(graph.entry)
        onsets = _onsets(recording)
        for incident in recording.incidents:
            if graph.entry[incident.service] or any(
                _in_trouble(onsets, incident, int(entry)) for entry in entries
            ):
                continue
            before = recording.features[max(incident.onset - 1, 0), incident.copy]
            risks.append(spread.risk(graph, before)[incident.service])
            rules.append(float(seed_cascade_risk(*before[incident.service, _SEED_COLUMNS])))
            reached.append(any(_follows(onsets, incident, int(entry)) for entry in entries))
    happened = np.array(reached, dtype=np.float64)
    return {
        "incidents": len(reached),
        "reached_an_entry": int(happened.sum()),
        **_against(np.array(risks), happened),
        "seed_rule": _against(np.array(rules), happened),
    }


def _against(risk: FloatArray, happened: FloatArray) -> dict[str, float | None]:
    varied = len(risk) > 1 and np.ptp(risk) > 0.0 and np.ptp(happened) > 0.0
    correlation = float(spearmanr(risk, happened).statistic) if varied else None
    return {
        "brier": float(f"{np.mean((risk - happened) ** 2):.4g}") if len(risk) else None,
        "rank_correlation": None if correlation is None else float(f"{correlation:.4g}"),
    }


def _onsets(recording: Recording) -> dict[tuple[int, int], list[Incident]]:
    found: dict[tuple[int, int], list[Incident]] = {}
    for incident in recording.incidents:
        found.setdefault((incident.copy, incident.service), []).append(incident)
    return found


def _in_trouble(
    onsets: dict[tuple[int, int], list[Incident]], incident: Incident, service: int
) -> bool:
    """Whether a service was in an incident already when another's began."""
    begun = incident.onset - AT_ONCE_FRAMES
    others = onsets.get((incident.copy, service), [])
    return any(other.onset < begun < other.end for other in others)


def _follows(
    onsets: dict[tuple[int, int], list[Incident]], incident: Incident, service: int
) -> bool:
    first, last = incident.onset - AT_ONCE_FRAMES, incident.onset + HORIZON_FRAMES
    return any(first <= other.onset <= last for other in onsets.get((incident.copy, service), []))
