"""The keys of a topology file that have keys of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.topology.document import Checker, inside
from simulator.topology.specification import (
    Autoscaler,
    Backoff,
    Cache,
    CircuitBreaker,
    MemorySpec,
    SloSpec,
    Warmup,
)

MAX_REPLICAS = 10_000
MEMORY_KEYS = ("limit_mb", "base_mb", "per_request_kb")
AUTOSCALER_KEYS = ("min", "max", "target_utilization")
CACHE_KEYS = ("hit_ratio", "warm_s")
WARMUP_KEYS = ("seconds", "slowdown")
BREAKER_KEYS = ("error_share", "min_calls", "open_s")
BACKOFF_KEYS = ("initial_ms", "max_ms")
SLO_KEYS = ("latency_ms", "error_rate_percent", "availability_percent", "throughput_rps")


def memory(checker: Checker, value: Any, path: str) -> MemorySpec:
    """Read the memory of a replica."""
    if value is None:
        return MemorySpec()
    stated = checker.mapping(value, path, MEMORY_KEYS) or {}
    limit = checker.number(stated.get("limit_mb"), inside(path, "limit_mb"), above=0.0, most=1e9)
    base = checker.number(stated.get("base_mb"), inside(path, "base_mb"), least=0.0, most=1e9)
    if limit is not None and base is not None and base >= limit:
        checker.problem(
            inside(path, "base_mb"), f"expected less than limit_mb ({limit:g}), got {base:g}"
        )
    per_request = checker.number(
        stated.get("per_request_kb"), inside(path, "per_request_kb"), least=0.0, most=1e9
    )
    return MemorySpec(limit, base, per_request)


def autoscaler(checker: Checker, value: Any, path: str) -> Autoscaler | None:
    """Read an autoscaler; None: there is none."""
    if value is None:
        return None
    stated = checker.mapping(value, path, AUTOSCALER_KEYS) or {}
    for key in ("min", "max"):
        if stated and stated.get(key) is None:
            checker.problem(inside(path, key), "expected a whole number, got nothing")
    low = checker.whole(stated.get("min"), inside(path, "min"), least=1, most=MAX_REPLICAS) or 1
    high = checker.whole(stated.get("max"), inside(path, "max"), least=1, most=MAX_REPLICAS) or low
    if high < low:
        checker.problem(inside(path, "max"), f"expected at least min ({low}), got {high}")
    target = checker.number(
        stated.get("target_utilization"), inside(path, "target_utilization"), above=0.0, most=1.0
    )
    return Autoscaler(low, high) if target is None else Autoscaler(low, high, target)


def cache(checker: Checker, value: Any, path: str) -> Cache | None:
    """Read a cache; None: there is none."""
    if value is None:
        return None
    stated = checker.mapping(value, path, CACHE_KEYS) or {}
    where = inside(path, "hit_ratio")
    if isinstance(value, Mapping) and stated.get("hit_ratio") is None:
        checker.problem(where, "expected a number of at least 0 and at most 0.999, got nothing")
    hit_ratio = checker.number(stated.get("hit_ratio"), where, least=0.0, most=0.999)
    warm_s = checker.number(stated.get("warm_s"), inside(path, "warm_s"), above=0.0, most=86_400.0)
    return Cache(hit_ratio or 0.0) if warm_s is None else Cache(hit_ratio or 0.0, warm_s)


def warmup(checker: Checker, value: Any, path: str) -> Warmup | None:
    """Read how fresh replicas are slow; None: they are not."""
    if value is None:
        return None
    stated = checker.mapping(value, path, WARMUP_KEYS) or {}
    seconds = checker.number(
        stated.get("seconds"), inside(path, "seconds"), above=0.0, most=86_400.0
    )
    slowdown = checker.number(
        stated.get("slowdown"), inside(path, "slowdown"), least=1.0, most=100.0
    )
    usual = Warmup()
    return Warmup(usual.seconds if seconds is None else seconds, slowdown or usual.slowdown)


def circuit_breaker(checker: Checker, value: Any, path: str) -> CircuitBreaker | None:
    """Read a circuit breaker, true or its settings; None: there is none."""
    if not isinstance(value, Mapping):
        return CircuitBreaker() if checker.flag(value, path, default=False) else None
    stated = checker.mapping(value, path, BREAKER_KEYS) or {}
    usual = CircuitBreaker()
    share = checker.number(
        stated.get("error_share"), inside(path, "error_share"), above=0.0, most=1.0
    )
    calls = checker.whole(
        stated.get("min_calls"), inside(path, "min_calls"), least=1, most=1_000_000
    )
    open_s = checker.number(stated.get("open_s"), inside(path, "open_s"), above=0.0, most=3600.0)
    return CircuitBreaker(
        share or usual.error_share, calls or usual.min_calls, open_s or usual.open_s
    )


def backoff(checker: Checker, value: Any, path: str) -> Backoff:
    """Read the wait before retries."""
    usual = Backoff()
    if value is None:
        return usual
    stated = checker.mapping(value, path, BACKOFF_KEYS) or {}
    initial = checker.number(
        stated.get("initial_ms"), inside(path, "initial_ms"), above=0.0, most=3_600_000.0
    )
    most = checker.number(stated.get("max_ms"), inside(path, "max_ms"), above=0.0, most=3_600_000.0)
    initial = initial or usual.initial_ms
    if most is not None and most < initial:
        checker.problem(
            inside(path, "max_ms"), f"expected at least initial_ms ({initial:g}), got {most:g}"
        )
    return Backoff(initial, max(usual.max_ms, initial) if most is None else most)


def slo(checker: Checker, value: Any, path: str) -> SloSpec:
    """Read objectives."""
    if value is None:
        return SloSpec()
    stated = checker.mapping(value, path, SLO_KEYS) or {}

    def number(key: str, **bounds: float) -> float | None:
        return checker.number(stated.get(key), inside(path, key), **bounds)

    return SloSpec(
        number("latency_ms", above=0.0),
        number("error_rate_percent", above=0.0, most=100.0),
        number("availability_percent", above=0.0, most=100.0),
        number("throughput_rps", least=0.0),
    )
