"""Training sets: many systems, each with many episodes, recorded in parallel processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml.episodes import Recording, record, scenarios
from ml.features import LEARNED, NAMES
from ml.incidents import QUIET_FRAMES, BoolArray
from ml.labels import HORIZON_FRAMES
from simulator.generator import random_topology
from simulator.topologies import SHIPPED, shipped
from simulator.topology import Topology

Job = TypeVar("Job")
Result = TypeVar("Result")

LEARNED_COLUMNS = np.array([NAMES.index(name) for name in LEARNED])
LEAST_SERVICES, MOST_SERVICES = 3, 24
ONGOING_SHARE = 0.1
"""Rows inside incidents that are learned from."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to learn from.

    Attributes
    ----------
    features
        (N, F) float32, the learned features in order.
    label
        (N,) whether an incident begins within the horizon.
    weight
        (N,) how many recorded rows each one stands for.
    type
        (N,) index of the incident's type, -1 where the label is False.
    ongoing
        (N,) whether the row lies inside an incident.
    """

    features: NDArray[np.float32]
    label: BoolArray
    weight: NDArray[np.float32]
    type: NDArray[np.intp]
    ongoing: BoolArray


def training_topology(number: int, seed: int) -> Topology:
    """Give system `number` of a training set: the shipped ones first, then random ones."""
    if number < len(SHIPPED):
        return shipped(SHIPPED[number])
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number, 0x70])))
    spread = np.log(MOST_SERVICES / LEAST_SERVICES)
    services = round(float(LEAST_SERVICES * np.exp(rng.uniform(0.0, spread))))
    return random_topology(services, int(rng.integers(2**31)))


def held_out_topology(number: int, seed: int) -> Topology:
    """Give system `number` that no training set holds: random ones of another stream."""
    return training_topology(len(SHIPPED) + number, seed + 1_000_003)


def record_one(job: tuple[Topology, int, int]) -> Recording:
    """Record a system: topology, number of episodes, seed."""
    topology, episodes, seed = job
    return record(topology, scenarios(topology.graph(), episodes, seed), seed)


def explain_one(job: tuple[Topology, int, int]) -> Recording:
    """Record a system with the causes of its incidents: topology, number of episodes, seed."""
    topology, episodes, seed = job
    return record(topology, scenarios(topology.graph(), episodes, seed), seed, explained=True)


def sample_one(job: tuple[Topology, int, int, float]) -> Rows:
    """Record a system and keep all positive rows, and this share of the others."""
    topology, episodes, seed, share = job
    return sample(record_one((topology, episodes, seed)), share, seed)


def parallel(
    function: Callable[[Job], Result], jobs: Sequence[Job], label: str, workers: int | None = None
) -> Iterator[Result]:
    """Run jobs in processes; results come in the order of the jobs, with a progress bar."""
    count = min(workers or os.cpu_count() or 1, max(len(jobs), 1))
    bar = tqdm(total=len(jobs), desc=label, unit="system")
    with bar, ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        for result in pool.map(function, jobs):
            bar.update()
            yield result


def sample(
    recording: Recording, share: float, seed: int, *, ongoing_share: float = ONGOING_SHARE
) -> Rows:
    """Rows of a recording: all positive ones, and a share of the others.

    A part of the rows inside incidents is taken too, as positive: they are never scored, but who
    looks at a service in trouble expects the model to see it.
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x5A])))
    lucky = rng.random(recording.label.shape)
    types = np.full(recording.label.shape, -1, dtype=np.intp)
    ongoing = np.zeros(recording.label.shape, dtype=np.bool_)
    # The next incident counts, so later ones are written first.
    pairs = zip(recording.incidents, recording.types, strict=True)
    for incident, kind in sorted(pairs, key=lambda pair: -pair[0].onset):
        earliest, quiet = max(0, incident.onset - HORIZON_FRAMES), incident.end - QUIET_FRAMES
        types[earliest:quiet, incident.copy, incident.service] = kind
        ongoing[incident.onset : quiet, incident.copy, incident.service] = True
    ahead = recording.scored & recording.label
    calm = recording.scored & ~recording.label & (lucky < share)
    chosen = ahead | calm | (ongoing & (lucky < ongoing_share))
    label = (ahead | ongoing)[chosen]
    return Rows(
        features=recording.features[chosen][:, LEARNED_COLUMNS],
        label=label,
        weight=np.where(label, 1.0, 1.0 / share).astype(np.float32),
        type=np.where(label, types[chosen], -1),
        ongoing=ongoing[chosen],
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """Put rows together."""
    return Rows(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.type for part in parts]),
        np.concatenate([part.ongoing for part in parts]),
    )
