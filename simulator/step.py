"""One sub-step: each mechanism in turn, each in its own module."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator import cache, calls, queueing, replicas, response, scaling
from simulator.capacity import Capacity, capacity
from simulator.conditions import Conditions
from simulator.graph import FloatArray
from simulator.parameters import OWN_ERROR_RATE, Parameters
from simulator.state import State
from simulator.wiring import Wiring

STEP_S = 0.25


@dataclass(frozen=True, eq=False)
class Flows:
    """What happened in one sub-step, for observation and for the books.

    Attributes
    ----------
    offered, replicas, capacity, queue, outcome
        Results of the mechanisms.
    refused
        (B, S) share of the requests that reach a service and are rejected.
    own_failure
        (B, S) share of the requests that a service takes and fails itself.
    dependency_success
        (B, S) share of its requests whose required calls succeed.
    response_s, response_variance_s2
        (B, S) latency at the service.
    """

    offered: calls.Offered
    replicas: replicas.Replicas
    capacity: Capacity
    queue: queueing.Queue
    outcome: calls.Outcome
    refused: FloatArray
    own_failure: FloatArray
    dependency_success: FloatArray
    response_s: FloatArray
    response_variance_s2: FloatArray


def step(
    p: Parameters,
    wiring: Wiring,
    conditions: Conditions,
    state: State,
    load: FloatArray,
    normals: FloatArray,
    step_s: float = STEP_S,
) -> tuple[State, Flows]:
    """Advance B copies by one sub-step.

    Parameters
    ----------
    p, wiring
        The system.
    conditions
        What faults change in this sub-step.
    state
        Before it.
    load
        (B,) load from outside over the nominal load.
    normals
        (B, S) standard normal numbers, the only source of chance.
    step_s
        Length in seconds.
    """
    serving = replicas.advance(p, conditions, state, step_s)
    able = capacity(p, conditions, state, serving)
    offered = calls.offer(p, wiring, conditions, state, load, step_s)
    queue = queueing.advance(p, state, serving, able, offered.arrival_rps, normals, step_s)
    latency = response.latency(p, state, able, queue)
    present = response.present_latency(p, state, able, queue)

    refused = np.divide(
        queue.rejected, queue.arrived,
        out=np.asarray(serving.ready <= 0, dtype=np.float64), where=queue.arrived > 0,
    )  # fmt: skip
    ended = queue.lost + queue.departed
    died = np.divide(queue.lost, ended, out=np.zeros_like(ended), where=queue.lost > 0)
    own_failure = 1.0 - (1.0 - OWN_ERROR_RATE) * (1.0 - conditions.error_rate) * (1.0 - died)
    good = (1.0 - own_failure) * state.dependency_success
    outcome = calls.resolve(
        p,
        conditions,
        state,
        offered,
        (wiring.at_callee(latency[0]), wiring.at_callee(latency[1])),
        (wiring.at_callee(present[0]), wiring.at_callee(present[1])),
        wiring.at_callee(1.0 - refused),
        wiring.at_callee(good),
        step_s,
    )
    dependence = response.dependence(p, wiring, outcome, offered.often)
    following = State(
        in_system=queue.in_system,
        fluctuation=queue.fluctuation,
        flow_rps=queue.departed / step_s,
        response_s=latency[0],
        response_variance_s2=latency[1],
        dependency_s=dependence.wait_s,
        dependency_variance_s2=dependence.wait_variance_s2,
        dependency_success=dependence.success,
        ready=serving.ready,
        serving=serving.serving,
        killed=serving.killed,
        restart_s=serving.restart_s,
        leak_mb=serving.leak_mb,
        down_s=serving.down_s,
        kills=serving.kills,
        outstanding=outcome.outstanding,
        orbit=outcome.orbit,
        burst=state.burst,
        breakers=outcome.breakers,
        throttles=outcome.throttles,
        warmth=cache.advance(p, state.warmth, state.ready, serving.ready, step_s),
        scaling=scaling.advance(p, state.scaling, serving.ready, queue.busy, step_s),
    )
    flows = Flows(
        offered, serving, able, queue, outcome, refused, own_failure, state.dependency_success,
        *latency,
    )  # fmt: skip
    return following, flows
