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
LEAST_LOAD, LEAST_EXPONENT = 1e-12, -600.0


class StationaryWait(NamedTuple):
    """The wait of a stationary queue; arrays of the arguments' broadcast shape.

    Attributes
    ----------
    load, log_load
        Utilisation, counted as `SATURATION` above it, and its logarithm.
    probability
        Share of requests that wait at all, 0 to 1.
    delayed_s
        Mean wait of those that do, seconds; the wait is then exponential.
    mean_s
        Mean wait of all requests, seconds.
    """

    load: FloatArray
    log_load: FloatArray
    probability: FloatArray
    delayed_s: FloatArray
    mean_s: FloatArray

    @property
    def variance_s2(self) -> FloatArray:
        """Variance of the wait of all requests, seconds squared."""
        return (2.0 - self.probability) * self.mean_s * self.delayed_s


def stationary_wait(
    utilisation: FloatArray, workers: FloatArray, service_s: FloatArray, variability: FloatArray
) -> StationaryWait:
    """Wait for one of `workers` at a given utilisation.

    Parameters
    ----------
    utilisation
        Offered load over the number of workers; counted as `SATURATION` above it.
    workers
        Requests that are executed at a time, the c of M/M/c; greater than 0, need not be whole.
    service_s, variability
        Mean service time in seconds, and (Ca^2 + Cs^2) / 2.
    """
    load = np.minimum(utilisation, SATURATION)
    log_load = np.log(np.maximum(load, LEAST_LOAD))
    exponent = np.sqrt(2.0 * workers + 2.0)
    exponent -= 1.0
    probability = np.exp(exponent * log_load)
    delayed_s = variability * service_s / (workers * (1.0 - load))
    return StationaryWait(load, log_load, probability, delayed_s, probability * delayed_s)


def blocking(stationary: StationaryWait, queue_limit: FloatArray) -> FloatArray:
    """Share of arrivals that find a bounded queue full: exact for M/M/c/(c + K).

    Above `SATURATION` the queue itself overflows, and the rest of the rejections comes from that.

    Parameters
    ----------
    stationary
        The queue without its bound.
    queue_limit
        Requests that may wait, K.
    """
    exponent = np.maximum(queue_limit * stationary.log_load, LEAST_EXPONENT)
    full = np.exp(exponent) * stationary.probability
    return (1.0 - stationary.load) * full / (1.0 - stationary.load * full)
