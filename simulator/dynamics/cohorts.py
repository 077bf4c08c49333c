"""Cohorts of replicas: each leaks, is killed by its memory limit, and restarts on its own.

Only services whose cohorts differ from fresh ones are advanced: those that leak, or whose cohorts
have leaked memory or were killed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics.conditions import Conditions
from simulator.dynamics.parameters import MAX_COHORTS, Parameters
from telemetry.graph import FloatArray, IntArray

FIRST_BACKOFF_S, MAX_BACKOFF_S = 10.0, 300.0
"""A replica waits 10, 20, 40 ... 300 s before it is restarted, as in Kubernetes."""
FORGIVEN_S = 600.0
LEAK_RELEASED_S = 15.0
"""Leaked memory is freed with this time constant once nothing leaks any more."""
MIN_LEAK = 1e-6
LEAK_SPREAD = 0.15
"""Cohorts leak by up to this share more or less than their mean: no two replicas are alike."""


class Cohorts(NamedTuple):
    """The cohorts of all services, shape (M, S, B); a service has the first few of M.

    Attributes
    ----------
    leak
        Leaked memory of a replica over its limit.
    down_s
        Time until the replicas serve again; negative: how long they have been up.
    kills
        Kills by the memory limit, forgotten after `FORGIVEN_S` without one.
    unlike
        Services with a cohort that is not like a fresh one, in any copy; ascending.
    """

    leak: FloatArray
    down_s: FloatArray
    kills: FloatArray
    unlike: IntArray


class Advanced(NamedTuple):
    """Cohorts after a sub-step, and their effect on their services; all others are fresh.

    Attributes
    ----------
    cohorts
        After the step.
    services
        (K,) the services that were advanced.
    up
        (K, B) share of the replicas that is up.
    leaked
        (K, B) leaked memory over the limit, mean over those.
    killed
        (K, B) share of the replicas that was killed in this step.
    """

    cohorts: Cohorts
    services: IntArray
    up: FloatArray
    leaked: FloatArray
    killed: FloatArray


def fresh(p: Parameters, copies: int) -> Cohorts:
    """Cohorts that have neither leaked nor been killed."""
    nothing = np.zeros((MAX_COHORTS, p.services, copies))
    return Cohorts(nothing, nothing, nothing, np.empty(0, dtype=np.intp))


def advance(
    p: Parameters,
    conditions: Conditions,
    before: Cohorts,
    memory: FloatArray,
) -> Advanced:
    """Advance by one sub-step; `memory` (S, B) is that of a replica, without leaks."""
    rows = before.unlike
    if conditions.acts("leak_per_s") or memory.max() > 1.0:
        triggered = (conditions.leak_per_s > 0.0) | (memory > 1.0)
        rows = np.union1d(rows, np.flatnonzero(triggered.any(axis=1)))
    if not len(rows):
        nothing = np.empty((0, memory.shape[1]))
        return Advanced(before, rows, nothing, nothing, nothing)
    count = p.cohorts[rows]
    rank = np.arange(MAX_COHORTS)[:, None, None]
    exists = rank < count
    leak, down_s, kills = (values[:, rows] for values in before[:3])

    growth = conditions.leak_per_s[rows]
    affected = np.clip(conditions.leak_share[rows] * count - rank, 0.0, 1.0)
    position = np.where(count > 1, 2.0 * rank / np.maximum(count - 1.0, 1.0) - 1.0, 0.0)
    kept = np.where(growth > 0.0, 1.0, np.exp(-p.step_s / LEAK_RELEASED_S))
    leak = leak * kept + p.step_s * growth * affected * (1.0 - LEAK_SPREAD * position)
    forgotten = (growth <= 0.0) & (leak < MIN_LEAK)
    leak = np.where((down_s > 0.0) | forgotten, 0.0, leak)

    dies = exists & (down_s <= 0.0) & (memory[rows] + leak > 1.0)
    down_s = down_s - p.step_s
    kills = np.where(down_s < -FORGIVEN_S, 0.0, kills)
    backoff_s = np.minimum(FIRST_BACKOFF_S * 2.0**kills, MAX_BACKOFF_S)
    down_s = np.where(dies, backoff_s + p.startup_s[rows], down_s)
    kills = kills + dies
    leak = np.where(dies | ~exists, 0.0, leak)
    up = exists & (down_s <= 0.0)

    unlike = ((leak > 0.0) | (kills > 0.0)).any(axis=(0, 2))
    replicas_up = up.sum(axis=0)
    return Advanced(
        cohorts=Cohorts(
            _with(before.leak, rows, leak),
            _with(before.down_s, rows, down_s),
            _with(before.kills, rows, kills),
            rows[unlike],
        ),
        services=rows,
        up=replicas_up / count,
        leaked=np.where(up, leak, 0.0).sum(axis=0) / np.maximum(replicas_up, 1),
        killed=dies.sum(axis=0) / count,
    )


def _with(values: FloatArray, rows: IntArray, now: FloatArray) -> FloatArray:
    """Copy `values` (M, S, B) with some services replaced."""
    after = values.copy()
    after[:, rows] = now
    return after
