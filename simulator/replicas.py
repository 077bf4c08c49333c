"""Replicas: held down by a fault, killed by their memory limit, and restarting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator import cohorts, scaling
from simulator.cohorts import Advanced, Cohorts
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
        Share of the requests in the system whose replica did not die; 1 where `whole`.
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
    killed, restart_s = _held_down(p, conditions, state)
    used_mb = _used_mb(p, state)
    memory = used_mb / p.memory_limit_mb
    grouped = cohorts.advance(p, conditions, state.cohorts, used_mb, memory)
    whole = state.whole and not (len(grouped.services) or conditions.acts("killed"))
    if whole:
        return _unharmed(p, state, killed, restart_s, memory, grouped)
    return _harmed(p, state, killed, restart_s, used_mb, grouped)


def _used_mb(p: Parameters, state: State) -> FloatArray:
    """Memory of a replica without leaks: base + per request x requests (equation 9)."""
    used_mb = state.departed * state.dependency_s
    used_mb *= 1.0 / p.step_s
    used_mb += state.in_system
    used_mb += state.fluctuation
    if state.whole:
        used_mb /= state.ready
    else:
        used_mb /= np.maximum(state.ready, 1e-9)
        used_mb *= state.ready > 0.0
    used_mb *= p.memory_per_request_mb
    used_mb += p.memory_base_mb
    return used_mb


def _unharmed(
    p: Parameters,
    state: State,
    killed: FloatArray,
    restart_s: FloatArray,
    memory: FloatArray,
    grouped: Advanced,
) -> Replicas:
    """Give the replicas when all that were started serve, before and after."""
    ready, availability = state.ready, state.serving
    if len(p.scaled):
        configured, started = scaling.replicas(p, state.scaling)
        ready, availability = started * state.serving, started / configured * state.serving
    return Replicas(
        ready=ready,
        serving=state.serving,
        whole=True,
        availability=availability,
        survivors=state.serving,
        memory=memory,
        memory_kills=np.zeros((1, 1)),
        killed=killed,
        restart_s=restart_s,
        cohorts=grouped.cohorts,
    )


def _harmed(
    p: Parameters,
    state: State,
    killed: FloatArray,
    restart_s: FloatArray,
    used_mb: FloatArray,
    grouped: Advanced,
) -> Replicas:
    """Give the replicas when some are down, anywhere."""
    configured, started = scaling.replicas(p, state.scaling)
    rows = grouped.services
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
    if state.whole and not conditions.acts("killed"):
        return state.killed, state.restart_s
    grows = conditions.killed >= state.killed
    restart_s = np.where(grows, p.startup_s, state.restart_s - p.step_s)
    killed = np.where(grows | (restart_s <= 0.0), conditions.killed, state.killed)
    return killed, restart_s
