"""What a topology file states; None stands for what it leaves to the defaults."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("gateway", "service", "database", "cache", "queue", "external")


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """Horizontal scaling on utilisation, after Kubernetes.

    Attributes
    ----------
    min, max
        Bounds of the number of replicas.
    target_utilization
        Busy workers over ready workers to aim at, 0 to 1.
    """

    min: int
    max: int
    target_utilization: float = 0.6


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache in front of the dependencies of a service.

    Attributes
    ----------
    hit_ratio
        Share of the requests that a warm cache answers, 0 to below 1.
    warm_s
        A cold cache is warm to 63 % after so long, seconds.
    """

    hit_ratio: float
    warm_s: float = 120.0


@dataclass(frozen=True, slots=True)
class MemorySpec:
    """Memory of one replica, as stated; see `simulator.topology.Memory`."""

    limit_mb: float | None = None
    base_mb: float | None = None
    per_request_kb: float | None = None


@dataclass(frozen=True, slots=True)
class SloSpec:
    """Objectives, as stated; see `simulator.topology.Slo`."""

    latency_ms: float | None = None
    error_rate_percent: float | None = None
    availability_percent: float | None = None
    throughput_rps: float | None = None


@dataclass(frozen=True, slots=True)
class DependencySpec:
    """A call to another service, as stated; see `simulator.topology.Dependency`."""

    service: str
    calls_per_request: float | None = None
    timeout_ms: float | None = None
    retries: int | None = None
    retry_budget: float | None = None
    circuit_breaker: bool = False
    adaptive_throttling: bool = False
    max_connections: int | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service, as stated; see `simulator.topology.Service`."""

    name: str
    kind: str = "service"
    ingress_rps: float | None = None
    replicas: int | None = None
    workers: int | None = None
    max_in_flight: int | None = None
    service_time_ms: float | None = None
    service_time_cv: float | None = None
    queue_limit: int | None = None
    memory: MemorySpec = MemorySpec()
    startup_s: float | None = None
    autoscaler: Autoscaler | None = None
    cache: Cache | None = None
    slo: SloSpec = SloSpec()
    dependencies: tuple[DependencySpec, ...] = ()


@dataclass(frozen=True, slots=True)
class TopologySpec:
    """A system, as stated."""

    name: str
    services: tuple[ServiceSpec, ...]
