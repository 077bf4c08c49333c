"""What a system carries from one sub-step to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator import breaker, cache, scaling, throttle
from simulator.breaker import Breakers
from simulator.graph import FloatArray
from simulator.parameters import Parameters
from simulator.scaling import Scaling
from simulator.throttle import Throttles


@dataclass(frozen=True, eq=False)
class State:
    """B copies of a system: services (B, S), calls (B, C), cohorts of replicas (B, G).

    Attributes
    ----------
    in_system
        Requests that wait for a worker or are executed: the fluid, which all flows follow.
    fluctuation
        What chance adds to `in_system`; their sum is never negative.
    flow_rps
        Requests that finish their own work, per second; these call the dependencies.
    response_s, response_variance_s2
        Latency of an answered request at the service: wait, own work, dependencies.
    dependency_s, dependency_variance_s2
        Part of it that is spent waiting for dependencies, retries included.
    dependency_success
        Share of the requests whose required calls succeed.
    ready, serving
        Replicas that serve, and their share of those that have been started.
    killed
        Share of the replicas held down by a fault, or restarting after one.
    restart_s
        Time until those serve again.
    leak_mb
        (B, G) leaked memory of a replica.
    down_s
        (B, G) time until the replicas serve again; negative: how long they have been up.
    kills
        (B, G) kills by the memory limit, forgotten after `replicas.FORGIVEN_S` without one.
    outstanding
        (L, B, C) attempts without an answer yet, by the number of attempts before them.
    orbit
        (L - 1, B, C) failed attempts that wait for their retry, one level per attempt.
    burst
        (B,) logarithm of the burst of the load.
    breakers, throttles, warmth, scaling
        Circuit breakers, throttles, caches and autoscalers; see their modules.
    """

    in_system: FloatArray
    fluctuation: FloatArray
    flow_rps: FloatArray
    response_s: FloatArray
    response_variance_s2: FloatArray
    dependency_s: FloatArray
    dependency_variance_s2: FloatArray
    dependency_success: FloatArray
    ready: FloatArray
    serving: FloatArray
    killed: FloatArray
    restart_s: FloatArray
    leak_mb: FloatArray
    down_s: FloatArray
    kills: FloatArray
    outstanding: FloatArray
    orbit: FloatArray
    burst: FloatArray
    breakers: Breakers
    throttles: Throttles
    warmth: FloatArray
    scaling: Scaling


def initial(parameters: Parameters, load: FloatArray) -> State:
    """State close to a steady one, for a load over the nominal load of shape (B,)."""
    copies = len(load)
    p = parameters
    services = (copies, p.services)
    cohorts = (copies, len(p.cohort_service))
    flow = load[:, None] * p.nominal_rps
    return State(
        in_system=flow * p.service_s,
        fluctuation=np.zeros(services),
        flow_rps=flow,
        response_s=np.broadcast_to(p.service_s, services).copy(),
        response_variance_s2=np.broadcast_to((p.service_s * p.service_cv) ** 2, services).copy(),
        dependency_s=np.zeros(services),
        dependency_variance_s2=np.zeros(services),
        dependency_success=np.ones(services),
        ready=scaling.replicas(p, scaling.initial(p, copies))[1].copy(),
        serving=np.ones(services),
        killed=np.zeros(services),
        restart_s=np.zeros(services),
        leak_mb=np.zeros(cohorts),
        down_s=np.zeros(cohorts),
        kills=np.zeros(cohorts),
        outstanding=np.zeros((p.levels, copies, p.calls)),
        orbit=np.zeros((p.levels - 1, copies, p.calls)),
        burst=np.zeros(copies),
        breakers=breaker.closed(p, copies),
        throttles=throttle.idle(p, copies),
        warmth=cache.warm(p, copies),
        scaling=scaling.initial(p, copies),
    )
