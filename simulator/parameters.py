"""A topology as arrays, in SI units: what the sub-steps compute with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.graph import FloatArray, IntArray
from simulator.topology import Topology

# Ranges documented in simulation.md, equation 15, and in docs/simulator.md.
OWN_ERROR_RATE = 2e-4
CPU_IDLE = 0.05
CPU_PER_BUSY_SHARE = 0.85
MEAN_BACKOFF_S = 0.025
MAX_BACKOFF_S = 1.0
GARBAGE_COLLECTION = 0.02
COLLECTED_KINDS = frozenset({"gateway", "service", "queue", "external"})
MAX_COHORTS = 4


@dataclass(frozen=True, eq=False)
class Parameters:
    """Services have shape (S,), calls (C,); per replica where the topology file says so.

    A *call* is an edge of the graph, or the way in from outside of an entry: the E edges come
    first, in the order of the graph, then one call per entry, whose caller is -1.

    Attributes
    ----------
    replicas, workers, queue_limit, max_in_flight
        As configured; `max_in_flight` is infinite where there is none.
    service_s, service_cv
        Own work per request, mean in seconds and coefficient of variation.
    nominal_rps
        Load at normal conditions.
    memory_limit_mb, memory_base_mb, memory_per_request_mb
        Memory of one replica.
    garbage_collection
        CPU share per unit of live / (heap - live) above its value at rest.
    startup_s
        From the start of a replica until it serves.
    cohort_service
        (G,) service of each cohort, ascending. The replicas of a service form up to
        `MAX_COHORTS` equal cohorts, which leak, die and restart each on their own.
    cohort_rank
        (G,) position of each cohort among those of its service, from 0.
    cohorts, first_cohort
        Cohorts of each service, and the index of its first one.
    caller, callee
        Service indices of each call.
    edges
        Number of edges, E.
    ingress_rps
        (C,) nominal load from outside, 0 on edges.
    calls_per_request
        (C,) first attempts per request of the caller; 0 on the ways in.
    timeout_s, retries
        (C,) of one attempt; attempts after the first.
    required
        (C,) the caller fails with it.
    retry_budget
        (C,) retries over first attempts, infinite where unlimited.
    guarded, throttled
        Indices of the calls with a circuit breaker, and of those with adaptive throttling.
    pooled, max_connections
        Indices of the calls with a connection pool, and its size per replica of the caller.
    backoff_s
        (K,) mean wait before the k-th retry, with full jitter; K the most retries of any call.
    caching, hit_ratio, warm_s
        Indices of the services with a cache, its hit ratio, and its time to warm up.
    scaled
        Indices of the services with an autoscaler; the next three have its length.
    scale_min, scale_max, scale_target
        Bounds of the replicas, and the utilisation to aim at.
    """

    replicas: FloatArray
    workers: FloatArray
    queue_limit: FloatArray
    max_in_flight: FloatArray
    service_s: FloatArray
    service_cv: FloatArray
    nominal_rps: FloatArray
    memory_limit_mb: FloatArray
    memory_base_mb: FloatArray
    memory_per_request_mb: FloatArray
    garbage_collection: FloatArray
    startup_s: FloatArray
    cohort_service: IntArray
    cohort_rank: IntArray
    cohorts: IntArray
    first_cohort: IntArray
    caller: IntArray
    callee: IntArray
    edges: int
    ingress_rps: FloatArray
    calls_per_request: FloatArray
    timeout_s: FloatArray
    retries: FloatArray
    required: NDArray[np.bool_]
    retry_budget: FloatArray
    guarded: IntArray
    throttled: IntArray
    pooled: IntArray
    max_connections: FloatArray
    backoff_s: FloatArray
    caching: IntArray
    hit_ratio: FloatArray
    warm_s: FloatArray
    scaled: IntArray
    scale_min: FloatArray
    scale_max: FloatArray
    scale_target: FloatArray

    @property
    def services(self) -> int:
        """Number of services, S."""
        return len(self.replicas)

    @property
    def calls(self) -> int:
        """Number of calls, C."""
        return len(self.callee)

    @property
    def levels(self) -> int:
        """Attempts of the most patient call: its retries and the first."""
        return len(self.backoff_s) + 1


def parameters(topology: Topology) -> Parameters:
    """Lay a topology out as arrays."""
    services = topology.services
    graph = topology.graph()
    edges = [call for service in services for call in service.dependencies]
    entries = np.flatnonzero(graph.entry)
    nothing = np.zeros(len(entries))
    users_timeout_s = [services[i].user_timeout_ms / 1e3 for i in entries]
    scaled = [i for i, service in enumerate(services) if service.autoscaler is not None]
    scalers = [s.autoscaler for s in services if s.autoscaler is not None]
    caches = [service.cache for service in services if service.cache is not None]
    most_retries = max((call.retries for call in edges), default=0)
    backoff = MEAN_BACKOFF_S * 2.0 ** np.arange(most_retries)
    cohorts = np.array([min(s.replicas, MAX_COHORTS) for s in services], dtype=np.intp)
    return Parameters(
        replicas=_floats(s.replicas for s in services),
        workers=_floats(s.workers for s in services),
        queue_limit=_floats(s.queue_limit for s in services),
        max_in_flight=_floats(s.max_in_flight or np.inf for s in services),
        service_s=_floats(s.service_time_ms / 1e3 for s in services),
        service_cv=_floats(s.service_time_cv for s in services),
        nominal_rps=_floats(s.arrival_rps for s in services),
        memory_limit_mb=_floats(s.memory.limit_mb for s in services),
        memory_base_mb=_floats(s.memory.base_mb for s in services),
        memory_per_request_mb=_floats(s.memory.per_request_kb / 1024.0 for s in services),
        garbage_collection=_floats(
            GARBAGE_COLLECTION * (s.kind in COLLECTED_KINDS) for s in services
        ),
        startup_s=_floats(s.startup_s for s in services),
        cohort_service=np.repeat(np.arange(len(services)), cohorts),
        cohort_rank=np.concatenate([np.arange(count) for count in cohorts]),
        cohorts=cohorts,
        first_cohort=np.concatenate([[0], np.cumsum(cohorts)[:-1]]).astype(np.intp),
        caller=np.concatenate([graph.caller, np.full(len(entries), -1)]),
        callee=np.concatenate([graph.callee, entries]),
        edges=graph.edges,
        ingress_rps=np.concatenate(
            [np.zeros(graph.edges), _floats(services[i].ingress_rps for i in entries)]
        ),
        calls_per_request=np.concatenate([graph.calls_per_request, nothing]),
        timeout_s=np.concatenate([graph.timeout_ms / 1e3, users_timeout_s]),
        retries=np.concatenate([graph.retries, nothing]),
        required=np.concatenate([graph.required, nothing > 0]),
        retry_budget=np.concatenate(
            [_floats(np.inf if e.retry_budget is None else e.retry_budget for e in edges), nothing]
        ),
        guarded=np.array(
            [e for e, call in enumerate(edges) if call.circuit_breaker], dtype=np.intp
        ),
        throttled=_where(call.adaptive_throttling for call in edges),
        pooled=_where(call.max_connections is not None for call in edges),
        max_connections=_floats(c.max_connections for c in edges if c.max_connections is not None),
        caching=_where(service.cache is not None for service in services),
        hit_ratio=_floats(cache.hit_ratio for cache in caches),
        warm_s=_floats(cache.warm_s for cache in caches),
        backoff_s=np.minimum(backoff, MAX_BACKOFF_S),
        scaled=np.array(scaled, dtype=np.intp),
        scale_min=_floats(scaler.min for scaler in scalers),
        scale_max=_floats(scaler.max for scaler in scalers),
        scale_target=_floats(scaler.target_utilization for scaler in scalers),
    )


def _where(chosen: Iterable[bool]) -> IntArray:
    return np.flatnonzero(np.fromiter(chosen, dtype=np.bool_))


def _floats(values: Iterable[float]) -> FloatArray:
    return np.fromiter(values, dtype=np.float64)
