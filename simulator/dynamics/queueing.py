"""The queue of a service: what arrives, is rejected, is worked off, and waits.

A fluid with fluctuations (van Kampen's linear noise). The fluid follows
dn/dt = A - mu min(n, c), integrated exponentially and capped by capacity; all flows are its.
The fluctuation follows the same drift around it, with Poisson noise: below saturation it is that
of M/M/inf, above it is a random walk. The fluid alone carries what is conserved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics.capacity import Capacity
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.replicas import Replicas
from simulator.dynamics.state import State
from simulator.laws.waiting import StationaryWait, blocking, stationary_wait
from telemetry.graph import FloatArray

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
    per_request_s
        Time in which all workers together finish one request.
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
    per_request_s: FloatArray
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
    # In place where it can be: memory touched for the first time costs more than arithmetic.
    workers = capacity.workers
    turnover = p.step_s / capacity.service_s  # requests that one busy worker finishes in a step
    finished = turnover * workers
    load = arrived / finished
    per_request_s = p.step_s / finished
    stationary = stationary_wait(load, capacity.exponents, per_request_s, p.variability)
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
    rejected = np.multiply(arrived, refused, out=refused)
    accepted = arrived - rejected

    # The fluid: linear while all workers are busy, else it relaxes to its level.
    level = accepted / turnover
    decay = np.negative(turnover)
    np.exp(decay, out=decay)
    linear = before + accepted
    linear -= finished
    relaxed = before - level
    relaxed *= decay
    relaxed += level
    after = np.maximum(linear, relaxed)

    # The same with chance. Arrivals and departures are Poisson; what is still there at the end
    # of the step counts.
    linear += fluctuation
    relaxed += fluctuation * decay
    decay *= decay
    variance = np.minimum(level, workers, out=level)
    variance *= np.subtract(1.0, decay, out=decay)
    np.add(accepted, finished, out=variance, where=linear > relaxed)
    noisy = np.maximum(linear, relaxed, out=linear)
    deviation = np.sqrt(variance, out=variance)
    deviation *= normals
    noisy += deviation
    np.maximum(noisy, 0.0, out=noisy)

    # What does not fit is rejected.
    room = np.add(workers, limit, out=limit)
    kept = np.minimum(after, room)
    np.minimum(noisy, room, out=noisy)
    departed = before - after
    departed += accepted
    after -= kept
    rejected += after
    busy = np.divide(departed, turnover, out=turnover)
    following = noisy - kept
    others = workers - 1.0
    ahead = np.maximum(noisy, others, out=noisy)
    ahead -= others
    backlog = kept - workers
    wait_s, wait_variance = _wait(stationary, load, per_request_s, backlog, ahead)
    return Queue(
        in_system=kept,
        fluctuation=following,
        arrived=arrived,
        rejected=rejected,
        lost=lost,
        cancelled=cancelled,
        departed=departed,
        busy=np.minimum(busy, workers, out=busy),
        per_request_s=per_request_s,
        wait_s=wait_s,
        wait_variance_s2=wait_variance,
        present_wait_s=np.multiply(ahead, per_request_s, out=ahead),
    )


def _wait(
    stationary: StationaryWait,
    load: FloatArray,
    per_request_s: FloatArray,
    backlog: FloatArray,
    ahead: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the wait of a request that arrives now.

    Below saturation the stationary law gives the wait, above it the backlog of the fluid: the
    longer of the two. The fluctuation of a stationary queue is in its law already, so the
    requests `ahead` count only where they make the wait longer than that law explains: not at all
    up to `EXPLAINED` mean conditional waits, fully at one and a half times as many.
    """
    lawful = stationary.mean_s
    wait_s = lawful
    if backlog.max() > 0.0:
        wait_s = np.maximum(lawful, backlog * per_request_s)
    if ahead.max() > EXPLAINED:
        unexplained = (1.0 - np.minimum(load, TRUSTED_LOAD)) * (2.0 / EXPLAINED) * ahead - 2.0
        trust = np.clip(unexplained, 0.0, 1.0)
        wait_s = wait_s + trust * np.maximum(ahead * per_request_s - wait_s, 0.0)
    variance = stationary.variance_s2()
    if wait_s is not lawful:
        share = lawful / np.maximum(wait_s, 1e-300)
        variance *= share
        variance += (1.0 - share) * wait_s * per_request_s
    return wait_s, variance
