"""Systems to train and to evaluate on: the shipped ones, and random ones of any size."""

from __future__ import annotations

import numpy as np

from ml.episodes.recording import Recording, record, scenarios
from simulator.topologies import SHIPPED, shipped
from simulator.topology.generator import random_topology
from simulator.topology.resolved import Topology

MIN_SERVICES, MAX_SERVICES = 3, 24
HeldOut = tuple[Topology, int, int]


def training_topology(number: int, seed: int) -> Topology:
    """Give system `number` of a training set: the shipped ones first, then random ones."""
    if number < len(SHIPPED):
        return shipped(SHIPPED[number])
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number, 0x70])))
    spread = np.log(MAX_SERVICES / MIN_SERVICES)
    services = round(float(MIN_SERVICES * np.exp(rng.uniform(0.0, spread))))
    return random_topology(services, int(rng.integers(2**31)))


def held_out_topology(number: int, seed: int) -> Topology:
    """Give system `number` that no training set holds: random ones of another stream."""
    return training_topology(len(SHIPPED) + number, seed + 1_000_003)


def held_out_jobs(count: int, episodes: int, seed: int) -> list[HeldOut]:
    """Give the jobs of `record_with_causes`: systems that no training set holds."""
    return [(held_out_topology(n, seed), episodes, seed * 1000 + 500_000 + n) for n in range(count)]


def record_with_causes(job: HeldOut) -> Recording:
    """Record a system with the causes of its incidents: topology, number of episodes, seed."""
    topology, episodes, seed = job
    return record(topology, scenarios(topology.graph(), episodes, seed), seed, with_causes=True)
