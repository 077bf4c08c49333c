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
    """The queue after a sub-step; arrays of shape (S, B), requests per sub-step where counted.

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
    cancelled
        Requests taken out because their caller gave up and said so.
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
    cancelled: FloatArray
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
    arrived: FloatArray,
    normals: FloatArray,
) -> Queue:
    """Advance all queues by one sub-step (simulation.md, equations 2 and 3).

    Parameters
    ----------
    p, state, replicas, capacity
        As of this sub-step.
    arrived
        (S, B) requests that reach each service.
    normals
        (S, B) standard normal numbers.
    """
    workers, service_s = capacity.workers, capacity.service_s
    steps = service_s / p.step_s
    work = arrived * steps
    load = work / workers
    stationary = stationary_wait(load, workers, capacity.exponents, service_s, p.variability)
    limit = p.queue_limit * replicas.ready
    refused = blocking(stationary, limit)
    lost = cancelled = np.zeros((1, 1))
    before, fluctuation = state.in_system, state.fluctuation
    if not replicas.whole:
        refused[replicas.ready <= 0.0] = 1.0
        before = before * replicas.survivors
        fluctuation = fluctuation * replicas.survivors
        lost = state.in_system - before
    if len(p.cancelling):
        cancelled = np.minimum(state.cancelled, before)
        before = before - cancelled
    accepted = arrived - arrived * refused
    # The fluid, linear while all workers are busy and relaxing to its level else.
    decay = np.exp(-1.0 / steps)
    finished = workers / steps
    level = work - work * refused
    linear = before + accepted - finished
    relaxed = level + (before - level) * decay
    after = np.maximum(linear, relaxed)
    # The same with chance. Arrivals and departures are Poisson; what is still there at the end
    # of the step counts.
    linear += fluctuation
    relaxed += fluctuation * decay
    variance = np.minimum(level, workers) * (1.0 - decay * decay)
    np.add(accepted, finished, out=variance, where=linear > relaxed)
    noisy = np.sqrt(variance) * normals
    noisy += np.maximum(linear, relaxed)
    np.maximum(noisy, 0.0, out=noisy)

    room = workers + limit
    kept = np.minimum(after, room)
    np.minimum(noisy, room, out=noisy)
    departed = accepted + before - after
    per_request_s = service_s / workers
    ahead = np.maximum(noisy - workers + 1.0, 0.0)
    backlog_s = np.maximum(kept - workers, 0.0) * per_request_s
    wait_s, wait_variance = _wait(stationary, load, per_request_s, backlog_s, ahead)
    return Queue(
        in_system=kept,
        fluctuation=noisy - kept,
        arrived=arrived,
        rejected=arrived - accepted + (after - kept),
        lost=lost,
        cancelled=cancelled,
        departed=departed,
        busy=np.minimum(departed * steps, workers),
        wait_s=wait_s,
        wait_variance_s2=wait_variance,
        present_wait_s=ahead * per_request_s,
    )


def _wait(
    stationary: StationaryWait,
    load: FloatArray,
    per_request_s: FloatArray,
    backlog_s: FloatArray,
    ahead: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the wait of a request that arrives now.

    Below saturation the stationary law gives the wait, above it the backlog of the fluid: the
    longer of the two. The fluctuation of a stationary queue is in its law already, so the
    requests `ahead` count only where they make the wait longer than that law explains: not at all
    up to `EXPLAINED` mean conditional waits, fully at one and a half times as many.
    """
    wait_s = np.maximum(stationary.mean_s, backlog_s)
    unexplained = 1.0 - np.minimum(load, TRUSTED_LOAD)
    unexplained *= 2.0 / EXPLAINED
    unexplained *= ahead
    unexplained -= 2.0
    if (unexplained > 0.0).any():
        trust = np.clip(unexplained, 0.0, 1.0)
        wait_s += trust * np.maximum(ahead * per_request_s - wait_s, 0.0)
    lawful = stationary.mean_s / np.maximum(wait_s, 1e-12)
    variance = stationary.variance_s2
    variance *= lawful
    lawful -= 1.0
    lawful *= wait_s
    lawful *= per_request_s
    variance -= lawful
    return wait_s, variance
