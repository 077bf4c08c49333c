"""One sub-step: each mechanism in turn, each in its own module."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.dynamics import calls, queueing, replicas, scaling, warmth
from simulator.dynamics.attempt import Attempt, attempt, call_time
from simulator.dynamics.capacity import Capacity, capacity
from simulator.dynamics.conditions import Conditions
from simulator.dynamics.dependence import Dependence
from simulator.dynamics.parameters import OWN_ERROR_RATE, Parameters
from simulator.dynamics.response import Latency, latency
from simulator.dynamics.routes import Routes
from simulator.dynamics.state import State
from simulator.dynamics.wiring import Wiring
from telemetry.graph import FloatArray


@dataclass(frozen=True, eq=False)
class System:
    """What does not change from step to step."""

    parameters: Parameters
    wiring: Wiring
    routes: Routes
    dependence: Dependence


@dataclass(frozen=True, eq=False)
class Flows:
    """What happened in one sub-step, for observation and accounting.

    Attributes
    ----------
    offered, replicas, capacity, queue, attempt, outcome
        Results of the mechanisms.
    own_failure
        (S, B) or (1, 1) share of the requests that a service takes and fails itself.
    dependency_success
        (S, B) share of its requests whose required calls succeed.
    dependency_s
        (S, B) part of the latency that is spent waiting for them.
    latency
        Latency at the service.
    """

    offered: calls.Offered
    replicas: replicas.Replicas
    capacity: Capacity
    queue: queueing.Queue
    attempt: Attempt
    outcome: calls.Outcome
    own_failure: FloatArray
    dependency_success: FloatArray
    dependency_s: FloatArray
    latency: Latency


def step(
    system: System,
    conditions: Conditions,
    state: State,
    load: FloatArray,
    normals: FloatArray,
) -> tuple[State, Flows]:
    """Advance B copies by one sub-step.

    Parameters
    ----------
    system
        The system.
    conditions
        What faults change in this sub-step.
    state
        Before it.
    load
        (B,) load from outside over the nominal load.
    normals
        (S, B) standard normal numbers, the only source of chance.
    """
    p, wiring, routes = system.parameters, system.wiring, system.routes
    serving = replicas.advance(p, conditions, state)
    able = capacity(p, conditions, state, serving)
    offered = calls.offer(p, wiring, routes, conditions, state, load)
    queue = queueing.advance(p, state, serving, able, offered.arrived, normals)
    usual, present = latency(p, state, able, queue)

    refused = queue.rejected / (queue.arrived + 1e-300)
    if not serving.whole:
        refused[(queue.arrived <= 0.0) & (serving.ready <= 0.0)] = 1.0
    own_failure = _own_failure(conditions, queue)
    good = (1.0 - own_failure) * state.dependency_success
    one = attempt(routes, conditions, usual, present, 1.0 - refused, good)
    outcome = calls.resolve(p, routes, state, offered, one)
    effect = system.dependence.effect(routes, offered, outcome, call_time(routes, one))
    following = State(
        in_system=queue.in_system,
        fluctuation=queue.fluctuation,
        departed=queue.departed,
        cancelled=_cancelled(system, state, usual, one, outcome),
        response_s=usual.mean_s,
        dependency_s=effect.wait_s,
        dependency_variance_s2=effect.wait_variance_s2,
        dependency_success=effect.success,
        ready=serving.ready,
        serving=serving.serving,
        whole=serving.whole,
        killed=serving.killed,
        restart_s=serving.restart_s,
        outstanding=outcome.outstanding,
        orbit=outcome.orbit,
        burst=state.burst,
        warmth=_warmer(p, p.warming, p.warmup_s, state.warmth, state, serving),
        cache_warmth=_warmer(p, p.caching, p.cache_warm_s, state.cache_warmth, state, serving),
        cohorts=serving.cohorts,
        breakers=outcome.breakers,
        throttles=outcome.throttles,
        scaling=scaling.advance(p, state.scaling, serving.ready, queue.busy),
    )
    flows = Flows(
        offered, serving, able, queue, one, outcome, own_failure, state.dependency_success,
        state.dependency_s, usual,
    )  # fmt: skip
    return following, flows


_USUALLY_GOOD = np.full((1, 1), 1.0 - OWN_ERROR_RATE)


def _own_failure(conditions: Conditions, queue: queueing.Queue) -> FloatArray:
    """Share of its requests that a service fails itself, replicas that die included."""
    good = _USUALLY_GOOD
    if conditions.acts("error_rate"):
        good = good * (1.0 - conditions.error_rate)
    if queue.lost.any():
        good = good * (1.0 - queue.lost / np.maximum(queue.lost + queue.departed, 1e-300))
    return 1.0 - good


def _cancelled(
    system: System, state: State, usual: Latency, one: Attempt, outcome: calls.Outcome
) -> FloatArray:
    """Count requests in a callee's own work whose caller gave up now and cancelled them, (S, B)."""
    p, routes = system.parameters, system.routes
    if not len(p.cancelling):
        return state.cancelled  # none
    route = routes.of_call[p.cancelling]
    admitted = one.awaited - one.lost
    given_up = (admitted * one.late).take(route, axis=0)
    given_up *= outcome.attempts.take(p.cancelling, axis=0)
    cancelled = system.wiring.into_cancelled(given_up)
    cancelled *= 1.0 - state.dependency_s / usual.mean_s
    return cancelled


def _warmer(
    p: Parameters,
    services: np.ndarray[tuple[int], np.dtype[np.intp]],
    warm_s: FloatArray,
    before: FloatArray,
    state: State,
    serving: replicas.Replicas,
) -> FloatArray:
    if not len(services):
        return before
    return warmth.advance(before, state.ready[services], serving.ready[services], warm_s, p.step_s)
