"""What a system carries from one sub-step to the next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from simulator.dynamics import breaker, scaling, throttle
from simulator.dynamics.breaker import Breakers
from simulator.dynamics.cohorts import Cohorts, fresh
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.scaling import Scaling
from simulator.dynamics.throttle import Throttles
from telemetry.graph import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class State:
    """B copies of a system: services (S, B), calls (C, B), edges (E, B).

    Attributes
    ----------
    in_system
        Requests that wait for a worker or are executed: the fluid, which all flows follow.
    fluctuation
        What chance adds to `in_system`; their sum is never negative.
    departed
        Requests that finished their own work in the last step; these call the dependencies.
    cancelled
        Requests whose caller gave up and said so in the last step.
    response_s
        Mean latency of an answered request at the service: wait, own work, dependencies.
    dependency_s, dependency_variance_s2
        Part of it that is spent waiting for dependencies, retries included.
    dependency_success
        Share of the requests whose required calls succeed.
    ready, serving
        Replicas that serve, and their share of those that have been started.
    whole
        Every replica that has been started serves, everywhere.
    killed
        Share of the replicas held down by a fault, or restarting after one.
    restart_s
        Time until those serve again.
    outstanding
        (L, C, B) attempts without an answer yet, by the number of attempts before them.
    orbit
        (K, E, B) failed attempts that wait for their retry, one level per attempt; K is L - 1.
    burst
        (B,) logarithm of the burst of the load.
    warmth, cache_warmth
        (warming, B) and (caching, B) how warm replicas and their caches are, 0 to 1.
    cohorts, breakers, throttles, scaling
        See their modules.
    """

    in_system: FloatArray
    fluctuation: FloatArray
    departed: FloatArray
    cancelled: FloatArray
    response_s: FloatArray
    dependency_s: FloatArray
    dependency_variance_s2: FloatArray
    dependency_success: FloatArray
    ready: FloatArray
    serving: FloatArray
    whole: bool
    killed: FloatArray
    restart_s: FloatArray
    outstanding: FloatArray
    orbit: FloatArray
    burst: FloatArray
    warmth: FloatArray
    cache_warmth: FloatArray
    cohorts: Cohorts
    breakers: Breakers
    throttles: Throttles
    scaling: Scaling


def select_copies(state: State, copies: IntArray) -> State:
    """State of some of its copies, which may repeat."""

    def chosen(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype == np.float64:
            return value[..., copies]
        if isinstance(value, tuple):
            return type(value)(*(chosen(part) for part in value))
        return value

    return State(**{field.name: chosen(getattr(state, field.name)) for field in fields(State)})


def initial(p: Parameters, load: FloatArray) -> State:
    """State close to a steady one, for a load over the nominal load of shape (B,)."""
    copies = len(load)
    services = (p.services, copies)
    flow_rps = load * p.nominal_rps
    scalers = scaling.initial(p, copies)
    return State(
        in_system=flow_rps * p.service_s,
        fluctuation=np.zeros(services),
        departed=flow_rps * p.step_s,
        cancelled=np.zeros(services),
        response_s=np.broadcast_to(p.service_s, services),
        dependency_s=np.zeros(services),
        dependency_variance_s2=np.zeros(services),
        dependency_success=np.ones(services),
        ready=np.broadcast_to(scaling.replicas(p, scalers)[1], services),
        serving=np.ones(services),
        whole=True,
        killed=np.zeros(services),
        restart_s=np.zeros(services),
        outstanding=np.zeros((p.levels, p.calls, copies)),
        orbit=np.zeros((p.levels - 1, p.edges, copies)),
        burst=np.zeros(copies),
        warmth=np.ones((len(p.warming), copies)),
        cache_warmth=np.ones((len(p.caching), copies)),
        cohorts=fresh(p, copies),
        breakers=breaker.closed(p, copies),
        throttles=throttle.idle(p, copies),
        scaling=scalers,
    )
