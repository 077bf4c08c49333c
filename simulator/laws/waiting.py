"""How long a request waits for a worker when the queue is stationary.

Sakasegawa's approximation (1977) takes load^e for Erlang's C, with e = sqrt(2 (c + 1)) - 1; it is
exact for one worker, needs no whole c, and errs by up to 2.6 % in the mean time in system. Here e
has two more terms, fitted to Erlang's C for 1 to 4096 workers and utilisations of 0.05 to 0.97,
which brings that down to 0.16 %. For service times of any variability it is multiplied by
(Ca^2 + Cs^2) / 2 (Allen and Cunneen).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from telemetry.graph import FloatArray

SATURATION = 0.97
"""Utilisation from which a stationary law has no meaning: the queue itself tells the wait."""
MIN_LOAD = 1e-12

_A, _B, _C, _D = 0.37929, -0.26555, 0.15788, -0.27365


class Exponents(NamedTuple):
    """Erlang's C is about load^(base + slope (1 - load)); arrays of any one shape."""

    base: FloatArray
    slope: FloatArray


def exponents(workers: FloatArray) -> Exponents:
    """Exponents for so many workers; greater than 0, need not be whole."""
    s = np.sqrt(2.0 * workers + 2.0) - 1.0
    above = s - 1.0
    return Exponents(1.0 + above * (1.0 - _A - _B * (1.0 + 1.0 / s)), above * (_C * s - _D))


class StationaryWait(NamedTuple):
    """The wait of a stationary queue; arrays of the arguments' broadcast shape.

    Attributes
    ----------
    free, log_load
        What the load leaves free, which is counted as `SATURATION` above it, and its logarithm.
    probability
        Share of requests that wait at all, 0 to 1.
    delayed_s
        Mean wait of those that do, seconds; the wait is then exponential.
    mean_s
        Mean wait of all requests, seconds.
    """

    free: FloatArray
    log_load: FloatArray
    probability: FloatArray
    delayed_s: FloatArray
    mean_s: FloatArray

    def variance_s2(self) -> FloatArray:
        """Variance of the wait of all requests, seconds squared; a new array."""
        variance = 2.0 - self.probability
        variance *= self.mean_s
        variance *= self.delayed_s
        return variance


def stationary_wait(
    load: FloatArray, exponents: Exponents, per_request_s: FloatArray, variability: FloatArray
) -> StationaryWait:
    """Wait for a worker at a given load.

    Parameters
    ----------
    load
        Utilisation; counted as `SATURATION` above it.
    exponents
        What follows from the number of workers.
    per_request_s, variability
        Mean service time over the number of workers, seconds, and (Ca^2 + Cs^2) / 2.
    """
    free = np.minimum(load, SATURATION)
    log_load = np.maximum(free, MIN_LOAD)
    np.log(log_load, out=log_load)
    np.subtract(1.0, free, out=free)
    probability = exponents.slope * free
    probability += exponents.base
    probability *= log_load
    np.exp(probability, out=probability)
    delayed_s = variability * per_request_s
    delayed_s /= free
    return StationaryWait(free, log_load, probability, delayed_s, probability * delayed_s)


def blocking(stationary: StationaryWait, queue_limit: FloatArray) -> FloatArray:
    """Share of arrivals that find a bounded queue full: exact for M/M/c/(c + K); a new array.

    Above `SATURATION` the queue itself overflows, and the rest of the rejections comes from that.

    Parameters
    ----------
    stationary
        The queue without its bound.
    queue_limit
        Requests that may wait, K.
    """
    full = queue_limit * stationary.log_load
    np.exp(full, out=full)
    full *= stationary.probability
    others = stationary.free - 1.0  # 1 - load full = 1 + (free - 1) full
    others *= full
    others += 1.0
    full *= stationary.free
    full /= others
    return full
