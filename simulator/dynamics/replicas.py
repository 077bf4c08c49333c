"""Replicas: held down by a fault, killed by their memory limit, and restarting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics import cohorts, scaling
from simulator.dynamics.cohorts import Advanced, Cohorts
from simulator.dynamics.conditions import Conditions
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.state import State
from telemetry.graph import FloatArray


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
    memory = _memory(p, state)
    grouped = cohorts.advance(p, conditions, state.cohorts, memory)
    whole = state.whole and not (len(grouped.services) or conditions.acts("killed"))
    if whole:
        return _unharmed(p, state, killed, restart_s, memory, grouped)
    return _harmed(p, state, killed, restart_s, memory, grouped)


def _memory(p: Parameters, state: State) -> FloatArray:
    """Memory of a replica over its limit, without leaks: base + per request x requests.

    simulation.md, equation 9.
    """
    requests = state.departed * state.dependency_s
    requests *= 1.0 / p.step_s
    requests += state.in_system
    requests += state.fluctuation
    if state.whole:
        requests /= state.ready
    else:
        requests /= np.maximum(state.ready, 1e-9)
        requests *= state.ready > 0.0
    memory = np.multiply(requests, p.memory_per_request, out=requests)
    memory += p.memory_base
    return memory


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
    memory: FloatArray,
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
    memory[rows] += grouped.leaked
    memory_kills = np.zeros_like(ready)
    memory_kills[rows] = grouped.killed * (configured * np.ones_like(ready))[rows]
    return Replicas(
        ready=ready,
        serving=serving,
        whole=bool((serving >= 1.0).all()),
        availability=ready / configured,
        survivors=survivors,
        memory=memory * (ready > 0.0),
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
