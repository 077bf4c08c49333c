"""A topology as arrays, in SI units: what the sub-steps compute with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import ceil

import numpy as np
from numpy.typing import NDArray

from simulator.laws.columns import collapsed, column, where
from simulator.laws.waiting import Exponents, exponents
from simulator.topology.resolved import Dependency, Topology
from telemetry.frame import FRAME_INTERVAL_S
from telemetry.graph import FloatArray, IntArray

# Ranges documented in simulation.md, equation 15, and in docs/simulator.md.
OWN_ERROR_RATE = 2e-4
CPU_IDLE = 0.05
CPU_PER_BUSY_WORKER = 0.85
GARBAGE_COLLECTION = 0.02
COLLECTED_KINDS = frozenset({"gateway", "service", "queue", "external"})
MAX_COHORTS = 4
MAX_MEMORY = 0.98
STEP_S, MIN_STEP_S = 0.25, 0.05
STEPS_PER_TIMEOUT = 5


@dataclass(frozen=True, eq=False)
class Parameters:
    """Columns: services have shape (S, 1), calls (C, 1), so that copies are the last axis.

    A *call* is an edge of the graph, or the way in from outside of an entry: the E edges come
    first, in the order of the graph, then one call per entry. What few services or calls have
    (autoscalers, caches, breakers and the like) comes as their indices and columns of that
    length. Values are per replica where the topology file says so. Some are (1, 1) where all
    services are alike, see `columns.collapsed`.

    Attributes
    ----------
    step_s
        Length of a sub-step: at most a fifth of the shortest timeout, and a whole part of a frame.
    replicas, workers, queue_limit, max_in_flight
        As configured; `max_in_flight` is infinite where there is none.
    service_s, service_cv
        Own work per request, mean in seconds and coefficient of variation.
    places_limited
        Any `max_in_flight` is finite.
    variability
        (1 + service_cv^2) / 2, the factor on waits of Allen and Cunneen.
    exponents
        Exponents of the law of waiting when all replicas serve.
    cpu_when_busy
        CPU demand over the CPU limit when all workers are busy.
    nominal_rps
        Load at normal conditions.
    memory_base, memory_per_request
        Memory of one replica over its limit: at rest, and of each request.
    garbage_collection
        CPU share per unit of live / (heap - live) above its value at rest.
    collecting_at_rest
        garbage_collection x heap / (heap - live) without requests.
    startup_s
        From the start of a replica until it serves.
    cohorts
        The replicas of a service form up to `MAX_COHORTS` equal cohorts, which leak, die and
        restart each on their own.
    warming, warmup_s, warmup_slowdown
        Services whose fresh replicas are slow: time to warm up, and how many times as long work
        takes at first.
    caching, hit_ratio, cache_warm_s
        Services with a cache, its hit ratio, and its time to warm up.
    scaled, scale_min, scale_max, scale_target
        Services with an autoscaler, bounds of their replicas, and the utilisation to aim at.
    parallel
        (S,) the service makes its calls all at once, not one after the other.
    caller, callee
        (E,) and (C,) service of each call.
    entries, ingress_rps
        Services that are called from outside, and how often.
    calls_per_request
        (E, 1) first attempts per request of the caller.
    timeout_s, retries
        (C, 1) of one attempt; attempts after the first.
    backoff_s, may_retry
        (K, C, 1) mean wait before the k-th retry, and 1 where the call is retried so often; K the
        most retries of any call.
    leaving
        (K, E, 1) share of the retries that wait which leave in a sub-step; (K, 1, 1) where all
        edges are alike.
    all_retried
        Every edge is retried K times.
    required
        (E,) the caller fails with it.
    retry_budget
        (C, 1) retries over first attempts, infinite where unlimited.
    budgeted
        Calls with such a budget.
    cancelling
        Calls whose caller tells the callee when it gives up.
    guarded, breaker_errors, breaker_volume, breaker_open_s
        Calls with a circuit breaker, and its settings.
    throttled
        Calls with adaptive throttling.
    pooled, max_connections
        Calls with a connection pool, and its size per replica of the caller.
    gated, gated_guarded, gated_throttled, gated_pooled
        Calls with any of these three, and the places among them of those with each.
    """

    step_s: float
    replicas: FloatArray
    workers: FloatArray
    queue_limit: FloatArray
    max_in_flight: FloatArray
    service_s: FloatArray
    service_cv: FloatArray
    places_limited: bool
    variability: FloatArray
    exponents: Exponents
    cpu_when_busy: FloatArray
    nominal_rps: FloatArray
    memory_base: FloatArray
    memory_per_request: FloatArray
    garbage_collection: FloatArray
    collecting_at_rest: FloatArray
    startup_s: FloatArray
    cohorts: FloatArray
    warming: IntArray
    warmup_s: FloatArray
    warmup_slowdown: FloatArray
    caching: IntArray
    hit_ratio: FloatArray
    cache_warm_s: FloatArray
    scaled: IntArray
    scale_min: FloatArray
    scale_max: FloatArray
    scale_target: FloatArray
    parallel: NDArray[np.bool_]
    caller: IntArray
    callee: IntArray
    entries: IntArray
    ingress_rps: FloatArray
    calls_per_request: FloatArray
    timeout_s: FloatArray
    retries: FloatArray
    backoff_s: FloatArray
    may_retry: FloatArray
    leaving: FloatArray
    all_retried: bool
    required: NDArray[np.bool_]
    retry_budget: FloatArray
    budgeted: IntArray
    cancelling: IntArray
    guarded: IntArray
    breaker_errors: FloatArray
    breaker_volume: FloatArray
    breaker_open_s: FloatArray
    throttled: IntArray
    pooled: IntArray
    max_connections: FloatArray
    gated: IntArray
    gated_guarded: IntArray
    gated_throttled: IntArray
    gated_pooled: IntArray

    @property
    def services(self) -> int:
        """Number of services, S."""
        return len(self.replicas)

    @property
    def edges(self) -> int:
        """Number of edges, E."""
        return len(self.caller)

    @property
    def calls(self) -> int:
        """Number of calls, C."""
        return len(self.callee)

    @property
    def levels(self) -> int:
        """Attempts of the most patient call, L: its retries and the first."""
        return len(self.backoff_s) + 1


def parameters(topology: Topology) -> Parameters:
    """Lay a topology out as arrays."""
    services = topology.services
    graph = topology.graph()
    edges = list(chain.from_iterable(service.dependencies for service in services))
    entries = np.flatnonzero(graph.entry)
    outside = np.zeros((len(entries), 1))  # users do not retry
    scalers = [s.autoscaler for s in services if s.autoscaler is not None]
    caches = [s.cache for s in services if s.cache is not None]
    warmups = [s.warmup for s in services if s.warmup is not None]
    breakers = [c.circuit_breaker for c in edges if c.circuit_breaker is not None]
    timeout_s = np.concatenate(
        [
            column(c.timeout_ms / 1e3 for c in edges),
            column(services[i].user_timeout_ms / 1e3 for i in entries),
        ]
    )
    retry_budget = np.concatenate(
        [column(np.inf if c.retry_budget is None else c.retry_budget for c in edges), outside]
    )
    garbage_collection = column(GARBAGE_COLLECTION * (s.kind in COLLECTED_KINDS) for s in services)
    at_rest = column(min(s.memory.base_mb / s.memory.limit_mb, MAX_MEMORY) for s in services)
    step_s = _step_s(float(timeout_s.min(initial=np.inf)))
    backoff_s = _backoff_s(edges, len(entries))
    retries = np.concatenate([graph.retries[:, None], outside])
    may_retry = retries > np.arange(len(backoff_s))[:, None, None]
    guarded = where(c.circuit_breaker is not None for c in edges)
    throttled = where(c.adaptive_throttling for c in edges)
    pooled = where(c.max_connections is not None for c in edges)
    gated = np.unique(np.concatenate([guarded, throttled, pooled]))
    return Parameters(
        step_s=step_s,
        replicas=column(s.replicas for s in services),
        workers=column(s.workers for s in services),
        queue_limit=column(s.queue_limit for s in services),
        max_in_flight=column(s.max_in_flight or np.inf for s in services),
        service_s=column(s.service_time_ms / 1e3 for s in services),
        service_cv=collapsed(column(s.service_time_cv for s in services)),
        places_limited=any(s.max_in_flight is not None for s in services),
        variability=collapsed(column(0.5 + 0.5 * s.service_time_cv**2 for s in services)),
        exponents=exponents(column(s.replicas * s.workers for s in services)),
        cpu_when_busy=collapsed(
            column(CPU_PER_BUSY_WORKER * s.workers / s.cores for s in services)
        ),
        nominal_rps=column(s.arrival_rps for s in services),
        memory_base=column(s.memory.base_mb / s.memory.limit_mb for s in services),
        memory_per_request=column(
            s.memory.per_request_kb / 1024.0 / s.memory.limit_mb for s in services
        ),
        garbage_collection=collapsed(garbage_collection),
        collecting_at_rest=collapsed(garbage_collection / (1.0 - at_rest)),
        startup_s=column(s.startup_s for s in services),
        cohorts=column(min(s.replicas, MAX_COHORTS) for s in services),
        warming=where(s.warmup is not None for s in services),
        warmup_s=column(warmup.seconds for warmup in warmups),
        warmup_slowdown=column(warmup.slowdown for warmup in warmups),
        caching=where(s.cache is not None for s in services),
        hit_ratio=column(cache.hit_ratio for cache in caches),
        cache_warm_s=column(cache.warm_s for cache in caches),
        scaled=where(s.autoscaler is not None for s in services),
        scale_min=column(scaler.min for scaler in scalers),
        scale_max=column(scaler.max for scaler in scalers),
        scale_target=column(scaler.target_utilization for scaler in scalers),
        parallel=np.array([s.parallel_calls for s in services], dtype=np.bool_),
        caller=graph.caller,
        callee=np.concatenate([graph.callee, entries]),
        entries=entries,
        ingress_rps=column(services[i].ingress_rps for i in entries),
        calls_per_request=graph.calls_per_request[:, None],
        timeout_s=timeout_s,
        retries=retries,
        backoff_s=backoff_s,
        may_retry=may_retry.astype(np.float64),
        leaving=collapsed(-np.expm1(-step_s / backoff_s[:, : len(edges)])),
        all_retried=bool(may_retry[:, : len(edges)].all()),
        required=graph.required,
        retry_budget=retry_budget,
        budgeted=where(c.retry_budget is not None for c in edges),
        cancelling=where(c.cancel_on_timeout for c in edges),
        guarded=guarded,
        breaker_errors=column(breaker.error_share for breaker in breakers),
        breaker_volume=column(breaker.min_calls for breaker in breakers),
        breaker_open_s=column(breaker.open_s for breaker in breakers),
        throttled=throttled,
        pooled=pooled,
        max_connections=column(c.max_connections for c in edges if c.max_connections is not None),
        gated=gated,
        gated_guarded=np.searchsorted(gated, guarded),
        gated_throttled=np.searchsorted(gated, throttled),
        gated_pooled=np.searchsorted(gated, pooled),
    )


def _step_s(shortest_timeout_s: float) -> float:
    """Longest step that resolves the timeouts and divides a frame (simulation.md, section 1)."""
    longest = min(STEP_S, max(shortest_timeout_s / STEPS_PER_TIMEOUT, MIN_STEP_S))
    return FRAME_INTERVAL_S / ceil(FRAME_INTERVAL_S / longest - 1e-9)


def _backoff_s(edges: list[Dependency], entries: int) -> FloatArray:
    """Mean wait before each retry, (K, C, 1): half of a wait that doubles, with full jitter."""
    max_retries = max((c.retries for c in edges), default=0)
    first = np.concatenate([column(c.backoff.initial_ms for c in edges), np.ones((entries, 1))])
    longest = np.concatenate([column(c.backoff.max_ms for c in edges), np.ones((entries, 1))])
    doubling = 2.0 ** np.arange(max_retries)[:, None, None]
    mean: FloatArray = 0.5e-3 * np.minimum(first * doubling, longest)
    return mean
