"""How much a service can do: its workers, and how fast they work."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics.conditions import Conditions
from simulator.dynamics.parameters import CPU_IDLE, MAX_MEMORY, Parameters
from simulator.dynamics.replicas import Replicas
from simulator.dynamics.state import State
from simulator.laws.waiting import Exponents, exponents
from telemetry.graph import FloatArray


class Capacity(NamedTuple):
    """Capacity in a sub-step; arrays of shape (S, B).

    Attributes
    ----------
    workers
        Requests that are executed at a time, all replicas together; greater than 0.
    exponents
        Exponents of the law of waiting with so many workers.
    service_s
        Mean service time, stretched by everything that slows it down.
    cpu_load
        CPU demand over the CPU limit; above 1 when throttled.
    """

    workers: FloatArray
    exponents: Exponents
    service_s: FloatArray
    cpu_load: FloatArray


def capacity(p: Parameters, conditions: Conditions, state: State, replicas: Replicas) -> Capacity:
    """Find the capacity, from the work of the sub-step before.

    The CPU is shared in proportion: a demand of x > 1 times the limit stretches all work by x
    (simulation.md, equation 8). Requests that wait for dependencies hold their place among
    `max_in_flight`; by Little's law m places are enough for m / (1 + dependency / service)
    workers (equation 7).
    """
    ready = replicas.ready if replicas.whole else np.maximum(replicas.ready, 1e-9)
    present = ready * p.workers
    work_s = p.service_s
    if conditions.acts("extra_service"):
        work_s = work_s * (1.0 + conditions.extra_service)
    if len(p.warming):  # fresh replicas are slow until they are warm
        work_s = work_s * np.ones_like(ready)
        work_s[p.warming] *= 1.0 + (p.warmup_slowdown - 1.0) * (1.0 - state.warmth)
    workers, waits = present, p.exponents
    if p.places_limited:
        places = ready * p.max_in_flight / (1.0 + state.dependency_s / work_s)
        workers = np.minimum(present, places)
    if p.places_limited or not replicas.whole or len(p.scaled):
        waits = exponents(workers)
    collecting = _garbage_collection(p, replicas)
    cpu_load = np.minimum(state.in_system, workers)
    cpu_load /= present
    cpu_load *= p.cpu_when_busy
    cpu_load += CPU_IDLE
    cpu_load += collecting
    if conditions.acts("background_cpu"):
        cpu_load += conditions.background_cpu
    collecting += 1.0
    service_s = np.multiply(collecting, work_s, out=collecting)
    if cpu_load.max() > 1.0:
        service_s *= np.maximum(cpu_load, 1.0)
    return Capacity(workers, waits, service_s, cpu_load)


def _garbage_collection(p: Parameters, replicas: Replicas) -> FloatArray:
    """CPU share of garbage collection beyond that at rest: grows as live / (heap - live)."""
    # live / (heap - live) is heap / (heap - live) - 1.
    collecting = 1.0 - np.minimum(replicas.memory, MAX_MEMORY)
    np.divide(p.garbage_collection, collecting, out=collecting)
    collecting -= p.collecting_at_rest
    if not replicas.whole:  # a service without replicas has no memory
        collecting[replicas.ready <= 0.0] = 0.0
    return collecting
