"""Connection pools: a caller's replica has so many calls to a dependency open, and no more.

An attempt that finds no free connection fails at once and never reaches the callee (simulation.md,
equation 7). By Little's law a pool of m connections carries m / T calls per second that take T.
"""

from __future__ import annotations

import numpy as np

from simulator.dynamics.parameters import Parameters
from simulator.dynamics.state import State
from telemetry.graph import FloatArray


def passing(p: Parameters, state: State, delay_s: FloatArray, wanted: FloatArray) -> FloatArray:
    """Share of the attempts that find a connection, (K, B), K the calls with a pool.

    Parameters
    ----------
    p, state
        As of this sub-step.
    delay_s
        (S, B) extra network time to each service.
    wanted
        (K, B) attempts that are to be made in this sub-step.
    """
    calls = p.pooled
    callee = p.callee[calls]
    limit = p.max_connections * state.ready[p.caller[calls]]
    time_s = np.clip(state.response_s[callee] + delay_s[callee], 1e-6, p.timeout_s[calls])
    # What is left open at the end of the step is (open + new) time / (step + time).
    room = limit * (1.0 + p.step_s / time_s) - sum(state.outstanding[:, calls])
    share: FloatArray = np.clip(room / np.maximum(wanted, 1e-12), 0.0, 1.0)
    return share
