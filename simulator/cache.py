"""Caches in front of a service's dependencies: cold after a start, warm with time.

A hit is answered without calling the dependencies, so `calls_per_request` says how often they are
called at the normal hit ratio. Replicas that start are cold: until they are warm their misses go to
the dependencies (Huang et al., OSDI 2022; simulation.md, equation 9). Arrays have shape (B, K): B
copies, K services with a cache.
"""

from __future__ import annotations

import numpy as np

from simulator.graph import FloatArray
from simulator.parameters import Parameters


def warm(p: Parameters, copies: int) -> FloatArray:
    """Give caches that have been in use for long: warmth 1."""
    return np.ones((copies, len(p.caching)))


def misses(p: Parameters, warmth: FloatArray) -> FloatArray:
    """Give the calls to the dependencies over their normal number, (B, S)."""
    factor = np.ones((len(warmth), p.services))
    factor[:, p.caching] = (1.0 - p.hit_ratio * warmth) / (1.0 - p.hit_ratio)
    return factor


def advance(
    p: Parameters, warmth: FloatArray, before: FloatArray, ready: FloatArray, step_s: float
) -> FloatArray:
    """Advance by one sub-step, from so many ready replicas (B, S) to so many."""
    if not len(p.caching):
        return warmth
    was, now = before[:, p.caching], ready[:, p.caching]
    kept = np.divide(np.minimum(was, now), now, out=np.zeros_like(now), where=now > 0.0)
    warmer: FloatArray = 1.0 - (1.0 - warmth * kept) * np.exp(-step_s / p.warm_s)
    return np.where(now > 0.0, warmer, 0.0)
