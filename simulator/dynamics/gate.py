"""Gates of a caller: what stops an attempt before it is made.

Circuit breaker, adaptive throttling and connection pool, one after the other.
"""

from __future__ import annotations

import numpy as np

from simulator.dynamics import breaker, pool, throttle
from simulator.dynamics.conditions import Conditions
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.state import State
from telemetry.graph import FloatArray


def passing(p: Parameters, state: State, conditions: Conditions, wanted: FloatArray) -> FloatArray:
    """Share of the attempts that are made, given how many are wanted; both (gated, B)."""
    share = np.ones_like(wanted)
    if state.breakers.probe_s.any():
        share[p.gated_guarded] = breaker.passing(state.breakers)
    if len(p.throttled):
        share[p.gated_throttled] *= throttle.passing(state.throttles)
    if len(p.pooled):
        before = share.take(p.gated_pooled, axis=0)
        left = before * wanted.take(p.gated_pooled, axis=0)
        share[p.gated_pooled] = before * pool.passing(p, state, conditions.delay_s, left)
    return share
