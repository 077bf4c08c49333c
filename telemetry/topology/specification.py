"""What a topology file states, key by key; None stands for what it leaves to the defaults.

What is accepted, the errors, and the tables in `docs/simulator.md` (`make docs`) follow from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from telemetry.keys import Key, Stated

KINDS = ("gateway", "service", "database", "cache", "queue", "external")
"""Kinds of services."""
MAX_REPLICAS = 10_000
HOUR_S, DAY_S, HOUR_MS = 3600.0, 86_400.0, 3_600_000.0
DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

# A key takes as few lines as it can.
# fmt: off


@dataclass(frozen=True, slots=True)
class Autoscaler(Stated):
    """Horizontal scaling on utilisation, after Kubernetes."""

    min: Annotated[int, Key("Fewest replicas.", least=1, most=MAX_REPLICAS)]
    max: Annotated[int, Key("Most replicas.", least=1, most=MAX_REPLICAS, at_least="min")]
    target_utilization: Annotated[float, Key(
        "Busy workers over ready workers to aim at.", above=0.0, most=1.0)] = 0.6


@dataclass(frozen=True, slots=True)
class Cache(Stated):
    """A cache in front of the dependencies of a service."""

    hit_ratio: Annotated[float, Key(
        "Share of the requests that a warm cache answers.", least=0.0, most=0.999)]
    warm_s: Annotated[float, Key(
        "A cold cache is warm to 63 % after this time.", "s", above=0.0, most=DAY_S)] = 120.0


@dataclass(frozen=True, slots=True)
class Warmup(Stated):
    """Replicas that have just started are slow."""

    seconds: Annotated[float, Key(
        "A fresh replica is warm to 63 % after this time.", "s", above=0.0, most=DAY_S)] = 30.0
    slowdown: Annotated[float, Key(
        "How many times as long its work takes at first.", least=1.0, most=100.0)] = 2.0


@dataclass(frozen=True, slots=True)
class CircuitBreaker(Stated):
    """Calls fail at once while most of them fail anyway; the defaults are those of Hystrix."""

    EXPECTED: ClassVar = "true or false"

    error_share: Annotated[float, Key(
        "It opens when this share of the calls of 10 s fails.", above=0.0, most=1.0)] = 0.5
    min_calls: Annotated[int, Key(
        "It opens only if there were this many calls.", least=1, most=1_000_000)] = 20
    open_s: Annotated[float, Key(
        "How long it stays open; then a tenth pass for 2 s.", "s", above=0.0, most=HOUR_S)] = 5.0

    @classmethod
    def mapping(cls, value: Any) -> Any:
        """Take true for a breaker with all defaults, and false for none."""
        if value is False:
            from pydantic_core import PydanticUseDefault

            raise PydanticUseDefault
        return super(CircuitBreaker, cls).mapping({} if value is True else value)


@dataclass(frozen=True, slots=True)
class Backoff(Stated):
    """Wait before a retry: full jitter, so half of this on average; it doubles each time."""

    initial_ms: Annotated[float, Key(
        "Longest wait before the first retry; it doubles each time.", "ms",
        above=0.0, most=HOUR_MS)] = 50.0
    max_ms: Annotated[float, Key(
        "Longest wait before any retry.", "ms",
        above=0.0, most=HOUR_MS, at_least="initial_ms")] = 2000.0

    def __post_init__(self) -> None:
        # Only the default can be less: what is stated has been compared.
        object.__setattr__(self, "max_ms", max(self.max_ms, self.initial_ms))


@dataclass(frozen=True, slots=True)
class MemorySpec(Stated):
    """Memory of one replica."""

    limit_mb: Annotated[float | None, Key(
        "Above it the replica is killed.", "MB", above=0.0, most=1e9, default="by kind")] = None
    base_mb: Annotated[float | None, Key(
        "Without any request.", "MB",
        least=0.0, most=1e9, less_than="limit_mb", default="by kind")] = None
    per_request_kb: Annotated[float | None, Key(
        "For each request that waits, executes, or waits for dependencies.", "KB",
        least=0.0, most=1e9,
        default="256; less where a full queue would take more than a quarter of the room")] = None


@dataclass(frozen=True, slots=True)
class SloSpec(Stated):
    """Objectives."""

    latency_ms: Annotated[float | None, Key(
        "For the 95th percentile.", "ms",
        above=0.0, default="the larger of 50 and three times the nominal p95")] = None
    error_rate_percent: Annotated[float, Key(
        "Failed requests.", "%", above=0.0, most=100.0)] = 1.0
    availability_percent: Annotated[float, Key(
        "Ready replicas.", "%", above=0.0, most=100.0)] = 99.9
    throughput_rps: Annotated[float | None, Key(
        "Counts only while the offered load is above it.", "1/s",
        least=0.0, default="80 % of the nominal load")] = None


@dataclass(frozen=True, slots=True)
class DependencySpec(Stated):
    """Calls to another service."""

    EXPECTED: ClassVar = "the name of a service or a mapping"

    service: Annotated[str, Key("Name of the callee.", expected="the name of a service")]
    calls_per_request: Annotated[float | None, Key(
        "Mean calls per request of the caller, first attempts only.", above=0.0, most=1000.0,
        default="1; less with a large fan-out or in a deep graph, a tenth along calls that close a "
        "cycle")] = None
    timeout_ms: Annotated[float | None, Key(
        "After it the caller gives one attempt up.", "ms", above=0.0, most=HOUR_MS,
        default="the larger of 1000 and three times the callee's nominal p95")] = None
    retries: Annotated[int | None, Key(
        "Attempts after the first.", least=0, most=10, default="2")] = None
    retry_budget: Annotated[float | None, Key(
        "Retries are at most this share of first attempts.",
        least=0.0, most=100.0, default="unlimited")] = None
    backoff: Annotated[Backoff, Key("Random wait before a retry.")] = Backoff()
    circuit_breaker: Annotated[CircuitBreaker | None, Key(
        "Calls fail at once while most of them fail anyway; true: with the defaults.")] = None
    adaptive_throttling: Annotated[bool, Key(
        "The caller sends less while little of it is answered.")] = False
    max_connections: Annotated[int | None, Key(
        "Calls that are open at a time; an attempt without a free connection fails at once.",
        "per replica of the caller", least=1, most=10_000_000, default="unlimited")] = None
    cancel_on_timeout: Annotated[bool, Key(
        "The callee drops what its caller has given up; false: it does not notice.")] = False
    required: Annotated[bool, Key(
        "The caller fails with it; false: the caller degrades, but does not fail.")] = True

    @classmethod
    def mapping(cls, value: Any) -> Any:
        """Take a name for calls to that service, with all defaults."""
        value = {"service": value} if isinstance(value, str) else value
        return super(DependencySpec, cls).mapping(value)


@dataclass(frozen=True, slots=True)
class ServiceSpec(Stated):
    """A service."""

    name: Annotated[str, Key(
        "Unique in the file.", pattern=DNS_LABEL,
        expected="a DNS label (lower-case letters, digits and hyphens, at most 63)")]
    kind: Annotated[str, Key(
        "What it is; some defaults depend on it.", choices=KINDS)] = "service"
    ingress_rps: Annotated[float | None, Key(
        "Load from outside.", "1/s", least=0.0, most=1e7,
        default="120 for a service that nobody calls (and the first of a cycle), else 0")] = None
    replicas: Annotated[int | None, Key(
        "Configured replicas.", least=1, most=MAX_REPLICAS,
        default="2 or 3; more if `workers` is stated and small")] = None
    workers: Annotated[int | None, Key(
        "Requests that are executed at a time.", "per replica", least=1, most=1_000_000,
        default="sized for 35 % utilisation at the nominal load, at least 4")] = None
    cores: Annotated[float | None, Key(
        "CPU limit: a busy worker takes 0.85 of a core, and more demand stretches all work.",
        "per replica", above=0.0, most=100_000.0, default="one per worker")] = None
    max_in_flight: Annotated[int | None, Key(
        "Requests executing or waiting for dependencies.", "per replica",
        least=1, most=10_000_000, default="unlimited")] = None
    service_time_ms: Annotated[float | None, Key(
        "Own work per request, mean.", "ms", above=0.0, most=HOUR_MS, default="by kind")] = None
    service_time_cv: Annotated[float, Key(
        "Own work, coefficient of variation.", least=0.0, most=10.0)] = 1.0
    queue_limit: Annotated[int | None, Key(
        "Waiting requests; further ones are rejected.", "per replica", least=0, most=10**9,
        default="what half of its callers' shortest timeout can work off, at least 16")] = None
    memory: Annotated[MemorySpec, Key("Memory of one replica.")] = MemorySpec()
    startup_s: Annotated[float | None, Key(
        "From the start of a replica until it serves.", "s",
        least=0.0, most=HOUR_S, default="by kind")] = None
    warmup: Annotated[Warmup | None, Key("Work on a fresh replica is slow.")] = None
    autoscaler: Annotated[Autoscaler | None, Key("The number of replicas follows the load.")] = None
    cache: Annotated[Cache | None, Key(
        "Hits call no dependency, `calls_per_request` holds at the normal hit ratio, and replicas "
        "that start are cold.")] = None
    slo: Annotated[SloSpec, Key("Objectives.")] = SloSpec()
    parallel_calls: Annotated[bool, Key(
        "The calls of a request are made all at once, and it waits for the longest; false: one "
        "after the other.")] = False
    dependencies: Annotated[Sequence[DependencySpec], Key(
        "Services that it calls: names, or mappings with the keys below.")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologySpec(Stated):
    """A system."""

    name: Annotated[str, Key("Name of the system.", pattern=".")] = "unnamed"
    services: Annotated[Sequence[ServiceSpec], Key("Its services.")]
