"""Latency and success of a service: its own, and what its dependencies make of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.calls import Outcome
from simulator.capacity import Capacity
from simulator.graph import FloatArray
from simulator.parameters import Parameters
from simulator.queueing import Queue
from simulator.state import State
from simulator.wiring import Wiring


class Dependence(NamedTuple):
    """What its calls do to a caller; arrays of shape (B, S).

    Attributes
    ----------
    wait_s, wait_variance_s2
        Time that a request waits for its calls, one after the other.
    success
        Share of the requests whose required calls all succeed.
    """

    wait_s: FloatArray
    wait_variance_s2: FloatArray
    success: FloatArray


def latency(
    p: Parameters, state: State, capacity: Capacity, queue: Queue
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the latency at the service: wait, own work, dependencies (B, S)."""
    mean = queue.wait_s + capacity.service_s + state.dependency_s
    variance = (
        queue.wait_variance_s2
        + (capacity.service_s * p.service_cv) ** 2
        + state.dependency_variance_s2
    )
    return mean, variance


def present_latency(
    p: Parameters, state: State, capacity: Capacity, queue: Queue
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the latency given the queues as they are (B, S): what timeouts meet.

    A queue that is long by chance lets many callers give up at once, and their retries make it
    longer; the law over all queues that chance may make knows nothing of that.
    """
    mean = queue.present_wait_s + capacity.service_s + state.dependency_s
    variance = (
        queue.present_wait_s * capacity.service_s / np.maximum(capacity.workers, 1.0)
        + (capacity.service_s * p.service_cv) ** 2
        + state.dependency_variance_s2
    )
    return mean, variance


def dependence(p: Parameters, wiring: Wiring, outcome: Outcome, often: FloatArray) -> Dependence:
    """Carry the outcome of the calls to their callers (simulation.md, equations 4 and 6).

    A request makes `often` calls on average, (E,) or (B, E): at most one call is made with that
    probability, more are so many.
    """
    edges = np.s_[:, : p.edges]
    mean = outcome.call_s[edges]
    at_most_one = np.minimum(often, 1.0)
    wait = wiring.into_caller(often * mean)
    spread = often * (outcome.call_square_s2[edges] - at_most_one * mean * mean)
    wait_variance = np.maximum(wiring.into_caller(spread), 0.0)

    exhausted, served = outcome.exhausted[edges], outcome.served[edges]
    ended = exhausted + served
    failure = np.divide(exhausted, ended, out=np.zeros_like(ended), where=ended > 0)
    success = 1.0 - at_most_one * failure * p.required[: p.edges]
    if (often > 1.0).any():
        success = success ** np.maximum(often, 1.0)
    return Dependence(wait, wait_variance, wiring.product_into_caller(success))
