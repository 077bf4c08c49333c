"""Caches in front of a service's dependencies: cold after a start, warm with time.

A hit is answered without calling the dependencies, so `calls_per_request` says how often they are
called at the normal hit ratio. Replicas that start are cold: until they are warm their misses go to
the dependencies (Huang et al., OSDI 2022; simulation.md, equation 9).
"""

from __future__ import annotations

import numpy as np

from simulator.dynamics.parameters import Parameters
from telemetry.graph import FloatArray


def misses(p: Parameters, warmth: FloatArray) -> FloatArray:
    """Give the calls to the dependencies over their normal number, (S, B).

    `warmth` has shape (K, B), K services with a cache.
    """
    factor = np.ones((p.services, warmth.shape[1]))
    factor[p.caching] = (1.0 - p.hit_ratio * warmth) / (1.0 - p.hit_ratio)
    return factor
