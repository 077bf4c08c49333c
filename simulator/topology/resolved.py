"""A system of services with every default resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from simulator.topology.specification import Autoscaler, Backoff, Cache, CircuitBreaker, Warmup
from telemetry.graph import LATENCY_PERCENTILE, ServiceGraph

__all__ = [
    "Autoscaler",
    "Backoff",
    "Cache",
    "CircuitBreaker",
    "Dependency",
    "Memory",
    "Service",
    "Slo",
    "Topology",
    "Warmup",
]


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one replica.

    Attributes
    ----------
    limit_mb
        Above it the replica is killed.
    base_mb
        Without any request.
    per_request_kb
        For each request that waits, executes, or waits for dependencies.
    """

    limit_mb: float
    base_mb: float
    per_request_kb: float


@dataclass(frozen=True, slots=True)
class Slo:
    """Objectives.

    Attributes
    ----------
    latency_ms
        For the 95th percentile.
    error_rate_percent, availability_percent
        In percent.
    throughput_rps
        Counts only while the offered load is above it.
    """

    latency_ms: float
    error_rate_percent: float
    availability_percent: float
    throughput_rps: float


@dataclass(frozen=True, slots=True)
class Dependency:
    """Calls to another service.

    Attributes
    ----------
    service
        Name of the callee.
    calls_per_request
        Mean calls per request of the caller, first attempts only.
    timeout_ms
        After it the caller gives one attempt up.
    retries
        Attempts after the first.
    retry_budget
        Retries are at most this share of first attempts; None: unlimited.
    backoff
        Wait before a retry.
    circuit_breaker
        Calls fail at once while most of them fail anyway; None: no breaker.
    adaptive_throttling
        The caller sends less while little of it is answered.
    max_connections
        Calls that one replica of the caller has open at a time; None: unlimited.
    cancel_on_timeout
        The callee drops what the caller has given up; False: it does not notice.
    required
        The caller fails with it; False: the caller degrades, but does not fail.
    """

    service: str
    calls_per_request: float
    timeout_ms: float
    retries: int
    retry_budget: float | None
    backoff: Backoff
    circuit_breaker: CircuitBreaker | None
    adaptive_throttling: bool
    max_connections: int | None
    cancel_on_timeout: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Service:
    """A service.

    Attributes
    ----------
    name
        DNS label, unique.
    kind
        gateway, service, database, cache, queue or external.
    ingress_rps
        Load from outside, requests per second.
    replicas
        Configured replicas.
    workers
        Requests that one replica executes at a time.
    cores
        CPU limit of one replica; a busy worker takes 0.85 of a core.
    max_in_flight
        Requests executing or waiting for dependencies, per replica; None: unlimited.
    service_time_ms, service_time_cv
        Own work per request: mean and coefficient of variation.
    queue_limit
        Waiting requests per replica; further ones are rejected.
    memory
        Memory of one replica.
    startup_s
        From the start of a replica until it serves.
    warmup
        Fresh replicas are slow; None: they are not.
    autoscaler
        None: the number of replicas is fixed.
    cache
        In front of the dependencies; None: every request calls them.
    slo
        Objectives.
    user_timeout_ms
        After it a caller from outside gives up; no key of the file, always the default.
    parallel_calls
        The calls of a request are made all at once; False: one after the other.
    dependencies
        Whom it calls.
    arrival_rps
        Nominal load that reaches it, from outside and from callers.
    """

    name: str
    kind: str
    ingress_rps: float
    replicas: int
    workers: int
    cores: float
    max_in_flight: int | None
    service_time_ms: float
    service_time_cv: float
    queue_limit: int
    memory: Memory
    startup_s: float
    warmup: Warmup | None
    autoscaler: Autoscaler | None
    cache: Cache | None
    slo: Slo
    user_timeout_ms: float
    parallel_calls: bool
    dependencies: tuple[Dependency, ...]
    arrival_rps: float


@dataclass(frozen=True)
class Topology:
    """A system of services.

    Attributes
    ----------
    name
        Name of the system.
    services
        In the order of the file.
    warnings
        What is allowed but will probably hurt, one sentence each.
    """

    name: str
    services: tuple[Service, ...]
    warnings: tuple[str, ...] = field(default=())

    def graph(self) -> ServiceGraph:
        """Give the static view that a monitoring system would have too."""
        return self._graph

    @cached_property
    def _graph(self) -> ServiceGraph:
        services = self.services
        index = {service.name: i for i, service in enumerate(services)}
        edges = [(i, call) for i, service in enumerate(services) for call in service.dependencies]
        return ServiceGraph(
            name=self.name,
            names=tuple(service.name for service in services),
            kinds=tuple(service.kind for service in services),
            entry=np.array([service.ingress_rps > 0 for service in services], dtype=np.bool_),
            caller=np.array([i for i, _ in edges], dtype=np.intp),
            callee=np.array([index[call.service] for _, call in edges], dtype=np.intp),
            required=np.array([call.required for _, call in edges], dtype=np.bool_),
            calls_per_request=_floats([call.calls_per_request for _, call in edges]),
            timeout_ms=_floats([call.timeout_ms for _, call in edges]),
            retries=_floats([call.retries for _, call in edges]),
            replicas=_floats([service.replicas for service in services]),
            ingress_rps=_floats([service.ingress_rps for service in services]),
            slo_latency_ms=_floats([service.slo.latency_ms for service in services]),
            slo_latency_percentile=np.full(len(services), LATENCY_PERCENTILE),
            slo_error_rate_percent=_floats([s.slo.error_rate_percent for s in services]),
            slo_availability_percent=_floats([s.slo.availability_percent for s in services]),
            slo_throughput_rps=_floats([s.slo.throughput_rps for s in services]),
        )


def _floats(values: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)
