"""A system of services with every default resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from telemetry.graph import LATENCY_PERCENTILE, ServiceGraph
from telemetry.topology.specification import DependencySpec, MemorySpec, ServiceSpec, SloSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(MemorySpec):
    """Memory of one replica; `MemorySpec` says what its attributes mean."""

    limit_mb: float
    base_mb: float
    per_request_kb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo(SloSpec):
    """Objectives; `SloSpec` says what its attributes mean."""

    latency_ms: float
    throughput_rps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency(DependencySpec):
    """Calls to another service; `DependencySpec` says what its attributes mean."""

    calls_per_request: float
    timeout_ms: float
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(ServiceSpec):
    """A service; `ServiceSpec` says what its attributes mean, and here are two more.

    Attributes
    ----------
    user_timeout_ms
        After it a caller from outside gives up.
    arrival_rps
        Nominal load that reaches it, from outside and from callers.
    """

    ingress_rps: float
    replicas: int
    workers: int
    cores: float
    service_time_ms: float
    queue_limit: int
    memory: Memory
    startup_s: float
    slo: Slo
    dependencies: tuple[Dependency, ...]
    user_timeout_ms: float
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
