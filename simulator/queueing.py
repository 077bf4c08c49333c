"""The queue of a service: what arrives, is rejected, is worked off, and waits.

A fluid with fluctuations (van Kampen's linear noise). The fluid follows
dn/dt = A - mu min(n, c), integrated exponentially and capped by capacity; all flows are its.
The fluctuation follows the same drift around it, with Poisson noise: below saturation it is that
of M/M/inf, above it is a random walk. The fluid alone carries what is conserved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.capacity import Capacity
from simulator.graph import FloatArray
from simulator.parameters import Parameters
from simulator.replicas import Replicas
from simulator.state import State
from simulator.waiting import StationaryWait, blocking, stationary_wait

EXPLAINED = 6.0
"""A wait of so many mean conditional waits is not explained by a stationary queue any more."""
TRUSTED_LOAD = 0.9
"""Utilisation up to which the stationary law explains waits fully."""


class Queue(NamedTuple):
    """The queue after a sub-step; arrays of shape (B, S), requests per sub-step where counted.

    Attributes
    ----------
    in_system, fluctuation
        As in `State`.
    arrived
        Requests that reached the service.
    rejected
        Those that found the queue full, or no replica.
    lost
        Requests in the system whose replica died.
    departed
        Requests that finished their own work.
    busy
        Busy workers.
    wait_s, wait_variance_s2
        Wait of a request that arrives now, over all that chance may have made of the queue.
    present_wait_s
        Mean wait given the queue as it is, fluctuation included.
    """

    in_system: FloatArray
    fluctuation: FloatArray
    arrived: FloatArray
    rejected: FloatArray
    lost: FloatArray
    departed: FloatArray
    busy: FloatArray
    wait_s: FloatArray
    wait_variance_s2: FloatArray
    present_wait_s: FloatArray


def advance(
    p: Parameters,
    state: State,
    replicas: Replicas,
    capacity: Capacity,
    arrival_rps: FloatArray,
    normals: FloatArray,
    step_s: float,
) -> Queue:
    """Advance all queues by one sub-step.

    Parameters
    ----------
    p, state, replicas, capacity
        As of this sub-step.
    arrival_rps
        (B, S) offered load.
    normals
        (B, S) standard normal numbers.
    step_s
        Length of the sub-step in seconds.
    """
    workers, service_s = capacity.workers, capacity.service_s
    load = arrival_rps * service_s / workers
    stationary = stationary_wait(load, workers, service_s, p.service_cv)
    limit = p.queue_limit * replicas.ready
    refused = np.where(replicas.ready > 0, blocking(load, stationary.probability, limit), 1.0)
    accepted_rps = arrival_rps * (1.0 - refused)

    before = state.in_system * replicas.survivors
    noisy_before = before + state.fluctuation * replicas.survivors
    decay = np.exp(-step_s / service_s)
    level = accepted_rps * service_s
    excess = (accepted_rps - workers / service_s) * step_s
    after = np.maximum(before + excess, level + (before - level) * decay)
    linear = noisy_before + excess
    relaxed = level + (noisy_before - level) * decay
    noisy_after = np.maximum(linear, relaxed)
    # Arrivals and departures are Poisson; what is still there at the end of the step counts.
    crowded = linear > relaxed
    variance = np.where(
        crowded,
        (accepted_rps + workers / service_s) * step_s,
        np.minimum(level, workers) * (1.0 - decay * decay),
    )
    noisy_after = np.maximum(noisy_after + np.sqrt(variance) * normals, 0.0)

    room = workers + limit
    kept = np.minimum(after, room)
    fluctuation = np.minimum(noisy_after, room) - kept
    departed = accepted_rps * step_s + before - after
    arrived = arrival_rps * step_s

    wait_s, wait_variance = _wait(stationary, load, workers, service_s, kept, fluctuation)
    return Queue(
        in_system=kept,
        fluctuation=fluctuation,
        arrived=arrived,
        rejected=arrived * refused + (after - kept),
        lost=state.in_system - before,
        departed=departed,
        busy=np.minimum(departed / step_s * service_s, workers),
        wait_s=wait_s,
        wait_variance_s2=wait_variance,
        present_wait_s=np.maximum(kept + fluctuation - workers + 1.0, 0.0) * service_s / workers,
    )


def _wait(
    stationary: StationaryWait,
    load: FloatArray,
    workers: FloatArray,
    service_s: FloatArray,
    fluid: FloatArray,
    fluctuation: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the wait of a request that arrives now.

    Below saturation the stationary law gives the wait, above it the backlog of the fluid: the
    longer of the two. The fluctuation of a stationary queue is in its law already, so it counts
    only where it makes the wait longer than that law explains: not at all up to `EXPLAINED` mean
    conditional waits, fully at one and a half times as many.
    """
    per_request_s = service_s / workers
    backlog_s = np.maximum(fluid - workers, 0.0) * per_request_s
    wait_s = np.maximum(stationary.mean_s, backlog_s)
    explained = 1.0 / (1.0 - np.minimum(load, TRUSTED_LOAD))
    ahead = np.maximum(fluid + fluctuation - workers + 1.0, 0.0)
    trust = np.clip((ahead / explained / EXPLAINED - 1.0) * 2.0, 0.0, 1.0)
    wait_s = wait_s + trust * np.maximum(ahead * per_request_s - wait_s, 0.0)
    lawful = stationary.mean_s / np.maximum(wait_s, 1e-12)
    variance = lawful * stationary.variance_s2 + (1.0 - lawful) * wait_s * per_request_s
    return wait_s, variance
