"""How long a request waits for a worker when the queue is stationary.

Sakasegawa's approximation (1977) of M/M/c, which is exact for one worker and needs no integer c,
times Allen and Cunneen's (Ca^2 + Cs^2) / 2 for service times of any variability.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.graph import FloatArray

SATURATION = 0.97
"""Utilisation from which a stationary law has no meaning: the queue itself tells the wait."""


class StationaryWait(NamedTuple):
    """The wait of a stationary queue; arrays of the arguments' broadcast shape.

    Attributes
    ----------
    probability
        Share of requests that wait at all, 0 to 1.
    delayed_s
        Mean wait of those that do, seconds; the wait is then exponential.
    """

    probability: FloatArray
    delayed_s: FloatArray

    @property
    def mean_s(self) -> FloatArray:
        """Mean wait of all requests, seconds."""
        return self.probability * self.delayed_s

    @property
    def variance_s2(self) -> FloatArray:
        """Variance of the wait of all requests, seconds squared."""
        return self.probability * (2.0 - self.probability) * self.delayed_s**2


def stationary_wait(
    utilisation: FloatArray, workers: FloatArray, service_s: FloatArray, service_cv: FloatArray
) -> StationaryWait:
    """Wait for one of `workers` at a given utilisation.

    Parameters
    ----------
    utilisation
        Offered load over the number of workers; counted as `SATURATION` above it.
    workers
        Requests that are executed at a time, the c of M/M/c; greater than 0, need not be whole.
    service_s, service_cv
        Mean service time in seconds and its coefficient of variation; arrivals are Poisson.
    """
    load = np.minimum(utilisation, SATURATION)
    exponent = np.sqrt(2.0 * (workers + 1.0)) - 1.0
    probability = load**exponent
    variability = 0.5 * (1.0 + service_cv * service_cv)
    return StationaryWait(probability, variability * service_s / (workers * (1.0 - load)))


def blocking(
    utilisation: FloatArray, probability: FloatArray, queue_limit: FloatArray
) -> FloatArray:
    """Share of arrivals that find a bounded queue full: exact for M/M/c/(c + K).

    Parameters
    ----------
    utilisation
        Offered load over workers; counted as `SATURATION` above it, where the queue itself
        overflows.
    probability
        Share of requests that would wait in an unbounded queue (Erlang C).
    queue_limit
        Requests that may wait, K.
    """
    load = np.minimum(utilisation, SATURATION)
    tail = load**queue_limit
    return probability * (1.0 - load) * tail / (1.0 - probability * load * tail)
