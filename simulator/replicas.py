"""Replicas: killed by a fault or by their memory limit, and restarting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator import scaling
from simulator.conditions import Conditions
from simulator.graph import FloatArray
from simulator.parameters import Parameters
from simulator.state import State

FIRST_BACKOFF_S, MAX_BACKOFF_S = 10.0, 300.0
"""A replica waits 10, 20, 40 ... 300 s before it is restarted, as in Kubernetes."""
FORGIVEN_S = 600.0
LEAK_RELEASED_S = 15.0
"""Leaked memory is freed with this time constant once nothing leaks any more."""
LEAK_SPREAD = 0.15
"""Cohorts leak by up to this share more or less than their mean: no two replicas are alike."""


class Replicas(NamedTuple):
    """The replicas after a sub-step.

    Attributes
    ----------
    ready, serving
        (B, S) as in `State`.
    availability
        (B, S) those over the configured ones.
    survivors
        (B, S) share of the requests in the system whose replica did not die.
    memory
        (B, S) memory over its limit, mean over the ready replicas; NaN without any.
    memory_kills
        (B, S) replicas killed by their limit in this sub-step.
    killed, restart_s
        (B, S) as in `State`.
    leak_mb, down_s, kills
        (B, G) as in `State`.
    """

    ready: FloatArray
    serving: FloatArray
    availability: FloatArray
    survivors: FloatArray
    memory: FloatArray
    memory_kills: FloatArray
    killed: FloatArray
    restart_s: FloatArray
    leak_mb: FloatArray
    down_s: FloatArray
    kills: FloatArray


def advance(p: Parameters, conditions: Conditions, state: State, step_s: float) -> Replicas:
    """Advance all replicas by one sub-step."""
    configured, started = scaling.replicas(p, state.scaling)
    killed, restart_s = _held_down(p, conditions, state, step_s)
    leak_mb = _leak(p, conditions, state, step_s)

    # Memory is base + per request x requests + leak (simulation.md, equation 9).
    waiting = state.flow_rps * state.dependency_s
    requests = (state.in_system + state.fluctuation + waiting) / np.maximum(state.ready, 1e-9)
    used_mb = p.memory_base_mb + p.memory_per_request_mb * np.where(state.ready > 0, requests, 0.0)
    cohort_mb = used_mb[:, p.cohort_service] + leak_mb
    up = state.down_s <= 0.0
    dies = up & (cohort_mb > p.memory_limit_mb[p.cohort_service])
    down_s = state.down_s - step_s
    kills = np.where(down_s < -FORGIVEN_S, 0.0, state.kills)
    if dies.any():
        backoff = np.minimum(FIRST_BACKOFF_S * 2.0**kills, MAX_BACKOFF_S)
        down_s = np.where(dies, backoff + p.startup_s[p.cohort_service], down_s)
        kills = kills + dies
        leak_mb = np.where(dies, 0.0, leak_mb)
    up = down_s <= 0.0

    up_share = _mean_over_cohorts(p, up.astype(np.float64))
    serving = up_share * (1.0 - killed)
    ready = started * serving
    availability = ready / configured
    with np.errstate(divide="ignore", invalid="ignore"):
        leaked_mb = _mean_over_cohorts(p, np.where(up, leak_mb, 0.0)) / up_share
        # Those that the autoscaler takes away finish their requests first.
        survivors = np.where(state.serving > 0, np.minimum(serving / state.serving, 1.0), 1.0)
    memory = np.where(ready > 0, (used_mb + leaked_mb) / p.memory_limit_mb, np.nan)
    memory_kills = _mean_over_cohorts(p, dies.astype(np.float64)) * configured
    return Replicas(
        ready=ready,
        serving=serving,
        availability=availability,
        survivors=survivors,
        memory=memory,
        memory_kills=memory_kills,
        killed=killed,
        restart_s=restart_s,
        leak_mb=leak_mb,
        down_s=down_s,
        kills=kills,
    )


def _held_down(
    p: Parameters, conditions: Conditions, state: State, step_s: float
) -> tuple[FloatArray, FloatArray]:
    """Share held down by a fault: at once with it, back `startup_s` after it."""
    grows = conditions.killed >= state.killed
    restart_s = np.where(grows, p.startup_s, state.restart_s - step_s)
    killed = np.where(grows | (restart_s <= 0.0), conditions.killed, state.killed)
    return killed, restart_s


def _leak(p: Parameters, conditions: Conditions, state: State, step_s: float) -> FloatArray:
    """Leaked memory of each cohort; the fault's share takes the first cohorts."""
    growth = conditions.leak_mb_per_s
    if not (growth.any() or state.leak_mb.any()):
        return state.leak_mb
    cohorts = p.cohorts[p.cohort_service]
    affected = np.clip(
        conditions.leak_share[:, p.cohort_service] * cohorts - p.cohort_rank, 0.0, 1.0
    )
    position = np.where(cohorts > 1, 2.0 * p.cohort_rank / np.maximum(cohorts - 1, 1) - 1.0, 0.0)
    rate = growth[:, p.cohort_service] * affected * (1.0 - LEAK_SPREAD * position)
    released = np.where(growth > 0, 1.0, np.exp(-step_s / LEAK_RELEASED_S))
    return np.where(
        state.down_s > 0.0, 0.0, state.leak_mb * released[:, p.cohort_service] + rate * step_s
    )


def _mean_over_cohorts(p: Parameters, cohorts: FloatArray) -> FloatArray:
    total: FloatArray = np.add.reduceat(cohorts, p.first_cohort, axis=1)
    return total / p.cohorts
