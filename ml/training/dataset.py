"""Training sets: many systems, each with many episodes, recorded in parallel processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.definitions.incidents import BoolArray
from ml.definitions.labelled import UNKNOWN_TYPE
from ml.definitions.labels import HORIZON_FRAMES
from ml.episodes.recording import Recording, record_batch, scenarios
from ml.episodes.systems import training_topology
from ml.evaluation.cascade_events import SpreadRows, concatenated_spread, spread_rows
from ml.features import LEARNED, NAMES, active_rows
from simulator.topology.resolved import Topology

LEARNED_COLUMNS = np.array([NAMES.index(name) for name in LEARNED])
BEGUN_FRAMES, BEGUN_SHARE = 8, 0.1
"""Rows at the beginning of an incident that are learned from, and the share of them."""
BATCH_SYSTEMS = 8
"""Systems that are simulated as one to learn from: it takes a third of the time."""
BATCH_EPISODES = 192
"""Episodes of all of them together, which are in memory at once; fewer systems if need be."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to learn from: active ones, and those in which an incident has just begun.

    Attributes
    ----------
    features
        (N, F) float32, the learned features in order.
    label
        (N,) whether an incident begins within the horizon.
    timely
        (N,) whether one begins for which an alarm now would be in time.
    weight
        (N,) how many recorded rows each one stands for.
    type
        (N,) index of the incident's type, -1 where the label is False.
    ongoing
        (N,) whether the row lies inside an incident; all labels are true then.
    """

    features: NDArray[np.float32]
    label: BoolArray
    timely: BoolArray
    weight: NDArray[np.float32]
    type: NDArray[np.intp]
    ongoing: BoolArray

    def only(self, chosen: BoolArray) -> Self:
        """Choose some of them."""
        return type(self)(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


Batch = tuple[Sequence[Topology], int, int, float]


def training_jobs(count: int, episodes: int, seed: int, share: float) -> list[Batch]:
    """Give the jobs of `sample_batch`, at most `BATCH_SYSTEMS` systems each."""
    jobs: list[Batch] = []
    size = max(1, min(BATCH_SYSTEMS, BATCH_EPISODES // episodes))
    for group, first in enumerate(range(0, count, size)):
        numbers = range(first, min(first + size, count))
        systems = [training_topology(n, seed) for n in numbers]
        jobs.append((systems, episodes, seed * 1000 + group, share))
    return jobs


def sample_batch(job: Batch) -> tuple[Rows, SpreadRows]:
    """Record systems side by side; sample their rows, and how their failures spread.

    The job: the systems, the number of episodes of each, the seed, the share of rows to keep.
    """
    topologies, episodes, seed, share = job
    seeds = [seed * BATCH_SYSTEMS + number for number in range(len(topologies))]
    chosen = [
        scenarios(topology.graph(), episodes, own)
        for topology, own in zip(topologies, seeds, strict=True)
    ]
    recordings = record_batch(topologies, chosen, seed)
    kept = [sample(r, share, own) for r, own in zip(recordings, seeds, strict=True)]
    return concatenated(kept), concatenated_spread(
        [spread_rows(recording) for recording in recordings]
    )


def sample(recording: Recording, share: float, seed: int) -> Rows:
    """Sample the active rows of a recording: the model is evaluated for these alone.

    All with an incident ahead are kept, and this share of the others. Some rows at the beginning
    of incidents are taken too, as positive: they are never scored, but people who look at a
    service in trouble expect the model to see it.
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x5A])))
    draws = rng.random(recording.label.shape)
    types = np.full(recording.label.shape, UNKNOWN_TYPE, dtype=np.intp)
    begun = np.zeros(recording.label.shape, dtype=np.bool_)
    # The next incident counts, so later ones are written first.
    pairs = zip(recording.incidents, recording.types, strict=True)
    for incident, kind in sorted(pairs, key=lambda pair: -pair[0].onset):
        earliest, known = max(0, incident.onset - HORIZON_FRAMES), incident.onset + BEGUN_FRAMES
        types[earliest:known, incident.copy, incident.service] = kind
        begun[incident.onset : known, incident.copy, incident.service] = True
    active = active_rows(recording.features)
    shares = np.where(active, np.where(recording.label, 1.0, share), 0.0)
    shares = np.where(recording.scored, shares, np.where(begun, BEGUN_SHARE, 0.0))
    chosen = draws < shares
    ongoing = begun[chosen]
    label = recording.label[chosen] | ongoing
    return Rows(
        features=recording.features[chosen][:, LEARNED_COLUMNS],
        label=label,
        timely=recording.timely[chosen] | ongoing,
        weight=np.where(ongoing, 1.0, 1.0 / shares[chosen]).astype(np.float32),
        type=np.where(label, types[chosen], UNKNOWN_TYPE),
        ongoing=ongoing,
    )


def concatenated(parts: Sequence[Rows]) -> Rows:
    """Put rows together."""
    names = [field.name for field in fields(Rows)]
    return Rows(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})
