"""Latency of a service: its own work, and the wait for its dependencies."""

from __future__ import annotations

from typing import NamedTuple

from simulator.dynamics.capacity import Capacity
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.queueing import Queue
from simulator.dynamics.state import State
from telemetry.graph import FloatArray


class Latency(NamedTuple):
    """Latency at each service, shape (S, B).

    Attributes
    ----------
    mean_s, variance_s2
        Mean and variance of the latency of one request.
    """

    mean_s: FloatArray
    variance_s2: FloatArray


def latency(
    p: Parameters, state: State, capacity: Capacity, queue: Queue
) -> tuple[Latency, Latency]:
    """Latency at the services: wait, own work, dependencies (simulation.md, equation 4).

    First over all queues that chance may make, then given the queues as they are, which is what
    timeouts meet: a queue that is long by chance lets many callers give up at once, and their
    retries make it longer; the law over all queues knows nothing of that.
    """
    work_s = capacity.service_s + state.dependency_s
    work_variance = capacity.service_s * p.service_cv
    work_variance *= work_variance
    work_variance += state.dependency_variance_s2
    usual = Latency(queue.wait_s + work_s, queue.wait_variance_s2 + work_variance)
    ahead = queue.present_wait_s * queue.per_request_s
    ahead += work_variance
    work_s += queue.present_wait_s
    return usual, Latency(work_s, ahead)
