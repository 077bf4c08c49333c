"""Replicas: held down by a fault, killed by their memory limit, and restarting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator import cohorts, scaling
from simulator.cohorts import Cohorts
from simulator.conditions import Conditions
from simulator.graph import FloatArray
from simulator.parameters import Parameters
from simulator.state import State


class Replicas(NamedTuple):
    """The replicas after a sub-step; arrays of shape (S, B).

    Attributes
    ----------
    ready, serving, whole
        As in `State`.
    availability
        Those over the configured ones.
    survivors
        Share of the requests in the system whose replica did not die.
    memory
        Memory over its limit, mean over the ready replicas; 0 without any.
    memory_kills
        Replicas killed by their limit in this sub-step.
    killed, restart_s, cohorts
        As in `State`.
    """

    ready: FloatArray
    serving: FloatArray
    whole: bool
    availability: FloatArray
    survivors: FloatArray
    memory: FloatArray
    memory_kills: FloatArray
    killed: FloatArray
    restart_s: FloatArray
    cohorts: Cohorts


def advance(p: Parameters, conditions: Conditions, state: State) -> Replicas:
    """Advance all replicas by one sub-step."""
    configured, started = scaling.replicas(p, state.scaling)
    killed, restart_s = _held_down(p, conditions, state)

    # Memory is base + per request x requests + leak (simulation.md, equation 9).
    requests = state.departed * (state.dependency_s / p.step_s)
    requests += state.in_system
    requests += state.fluctuation
    requests /= np.maximum(state.ready, 1e-9)
    used_mb = requests * (state.ready > 0.0)
    used_mb *= p.memory_per_request_mb
    used_mb += p.memory_base_mb
    grouped = cohorts.advance(p, conditions, state.cohorts, used_mb)
    rows = grouped.services
    if state.whole and not (len(rows) or killed.any()):
        return Replicas(
            ready=started * state.serving,
            serving=state.serving,
            whole=True,
            availability=started / configured * state.serving,
            survivors=state.serving,
            memory=used_mb / p.memory_limit_mb,
            memory_kills=np.zeros((1, 1)),
            killed=killed,
            restart_s=restart_s,
            cohorts=grouped.cohorts,
        )

    serving = 1.0 - killed
    serving[rows] *= grouped.up
    ready = started * serving
    # Those that the autoscaler takes away finish their requests first.
    survivors = np.minimum(serving / np.maximum(state.serving, 1e-300), 1.0)
    survivors[state.serving <= 0.0] = 1.0
    used_mb[rows] += grouped.leaked_mb
    memory_kills = np.zeros_like(ready)
    memory_kills[rows] = grouped.killed * (configured * np.ones_like(ready))[rows]
    return Replicas(
        ready=ready,
        serving=serving,
        whole=bool((serving >= 1.0).all()),
        availability=ready / configured,
        survivors=survivors,
        memory=used_mb / p.memory_limit_mb * (ready > 0.0),
        memory_kills=memory_kills,
        killed=killed,
        restart_s=restart_s,
        cohorts=grouped.cohorts,
    )


def _held_down(
    p: Parameters, conditions: Conditions, state: State
) -> tuple[FloatArray, FloatArray]:
    """Share held down by a fault: at once with it, back `startup_s` after it."""
    if not (conditions.killed.any() or state.killed.any()):
        return state.killed, state.restart_s
    grows = conditions.killed >= state.killed
    restart_s = np.where(grows, p.startup_s, state.restart_s - p.step_s)
    killed = np.where(grows | (restart_s <= 0.0), conditions.killed, state.killed)
    return killed, restart_s
