"""How much a service can do: its workers, and how fast they work."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.conditions import Conditions
from simulator.graph import FloatArray
from simulator.parameters import CPU_IDLE, CPU_PER_BUSY_SHARE, Parameters
from simulator.replicas import Replicas
from simulator.state import State

MOST_MEMORY = 0.98


class Capacity(NamedTuple):
    """Capacity in a sub-step; arrays of shape (B, S).

    Attributes
    ----------
    workers
        Requests that are executed at a time, all replicas together; greater than 0.
    service_s
        Mean service time, stretched by everything that slows it down.
    cpu_load
        CPU demand over the CPU limit; above 1 when throttled.
    """

    workers: FloatArray
    service_s: FloatArray
    cpu_load: FloatArray


def capacity(p: Parameters, conditions: Conditions, state: State, replicas: Replicas) -> Capacity:
    """Find the capacity, from the work of the sub-step before.

    The CPU is shared in proportion: a demand of x > 1 times the limit stretches all work by x.
    Requests that wait for dependencies hold their place among `max_in_flight`; by Little's law
    m places are enough for m / (1 + dependency / service) workers (simulation.md, equation 7).
    """
    present = np.maximum(replicas.ready * p.workers, 1e-9)
    work_s = p.service_s * (1.0 + conditions.extra_service)
    places = p.max_in_flight * np.maximum(replicas.ready, 1e-9)
    workers = np.minimum(present, places / (1.0 + state.dependency_s / work_s))
    collecting = _garbage_collection(p, replicas)
    busy = np.minimum(state.in_system, workers) / present
    cpu_load = CPU_IDLE + CPU_PER_BUSY_SHARE * busy + conditions.background_cpu + collecting
    service_s = work_s * np.maximum(cpu_load, 1.0) * (1.0 + collecting)
    return Capacity(workers, service_s, cpu_load)


def _garbage_collection(p: Parameters, replicas: Replicas) -> FloatArray:
    """CPU share of garbage collection beyond that at rest: grows as live / (heap - live)."""
    at_rest = p.memory_base_mb / p.memory_limit_mb
    live = np.clip(np.nan_to_num(replicas.memory), at_rest, MOST_MEMORY)
    rest = np.minimum(at_rest, MOST_MEMORY)
    return p.garbage_collection * (live / (1.0 - live) - rest / (1.0 - rest))
