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
class Warmup:
    """Replicas that have just started are slow.

    Attributes
    ----------
    seconds
        A fresh replica is warm to 63 % after so long.
    slowdown
        How many times as long its work takes at first, at least 1.
    """

    seconds: float = 30.0
    slowdown: float = 2.0


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Calls fail at once while most of them fail anyway; the defaults are those of Hystrix.

    Attributes
    ----------
    error_share
        It opens when so many of the calls of 10 s fail, above 0 to 1.
    min_calls
        If there were at least so many of them.
    open_s
        It stays open for so long, seconds; then it lets a tenth through for 2 s.
    """

    error_share: float = 0.5
    min_calls: int = 20
    open_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Wait before a retry: full jitter, so half of this on average; it doubles each time.

    Attributes
    ----------
    initial_ms
        The longest wait before the first retry.
    max_ms
        The longest wait before any.
    """

    initial_ms: float = 50.0
    max_ms: float = 2000.0


@dataclass(frozen=True, slots=True)
class MemorySpec:
    """Memory of one replica, as stated; see `simulator.topology.resolved.Memory`."""

    limit_mb: float | None = None
    base_mb: float | None = None
    per_request_kb: float | None = None


@dataclass(frozen=True, slots=True)
class SloSpec:
    """Objectives, as stated; see `simulator.topology.resolved.Slo`."""

    latency_ms: float | None = None
    error_rate_percent: float | None = None
    availability_percent: float | None = None
    throughput_rps: float | None = None


@dataclass(frozen=True, slots=True)
class DependencySpec:
    """A call to another service, as stated; see `simulator.topology.resolved.Dependency`."""

    service: str
    calls_per_request: float | None = None
    timeout_ms: float | None = None
    retries: int | None = None
    retry_budget: float | None = None
    backoff: Backoff = Backoff()
    circuit_breaker: CircuitBreaker | None = None
    adaptive_throttling: bool = False
    max_connections: int | None = None
    cancel_on_timeout: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service, as stated; see `simulator.topology.resolved.Service`."""

    name: str
    kind: str = "service"
    ingress_rps: float | None = None
    replicas: int | None = None
    workers: int | None = None
    cores: float | None = None
    max_in_flight: int | None = None
    service_time_ms: float | None = None
    service_time_cv: float | None = None
    queue_limit: int | None = None
    memory: MemorySpec = MemorySpec()
    startup_s: float | None = None
    warmup: Warmup | None = None
    autoscaler: Autoscaler | None = None
    cache: Cache | None = None
    slo: SloSpec = SloSpec()
    parallel_calls: bool = False
    dependencies: tuple[DependencySpec, ...] = ()


@dataclass(frozen=True, slots=True)
class TopologySpec:
    """A system, as stated."""

    name: str
    services: tuple[ServiceSpec, ...]
