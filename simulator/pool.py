"""Connection pools: a caller's replica has so many calls to a dependency open, and no more.

An attempt that finds no free connection fails at once and never reaches the callee (simulation.md,
equation 7). By Little's law a pool of m connections carries m / T calls per second that take T.
"""

from __future__ import annotations

import numpy as np

from simulator.graph import FloatArray
from simulator.parameters import Parameters
from simulator.state import State


def passing(
    p: Parameters, state: State, delay_s: FloatArray, wanted: FloatArray, step_s: float
) -> FloatArray:
    """Share of the attempts that find a connection, (B, K), K the calls with a pool.

    Parameters
    ----------
    p, state
        As of this sub-step.
    delay_s
        (B, C) extra network time.
    wanted
        (B, C) attempts per second.
    step_s
        Length of the sub-step in seconds.
    """
    calls = p.pooled
    limit = p.max_connections * state.ready[:, p.caller[calls]]
    time_s = state.response_s[:, p.callee[calls]] + delay_s[:, calls]
    time_s = np.clip(time_s, 1e-6, p.timeout_s[calls])
    # What is left open at the end of the step is (open + new) time / (step + time).
    room = limit * (1.0 + step_s / time_s) - state.outstanding[:, :, calls].sum(axis=0)
    new = np.maximum(wanted[:, calls] * step_s, 1e-12)
    share: FloatArray = np.clip(room / new, 0.0, 1.0)
    return share
