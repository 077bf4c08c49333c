"""What queueing theory says exactly of M/M/c."""

from __future__ import annotations

from math import exp


def erlang_c(workers: int, load: float) -> float:
    """Probability of waiting at an offered load in Erlang, by the recursion of Erlang B."""
    blocked = 1.0
    for c in range(1, workers + 1):
        blocked = load * blocked / (c + load * blocked)
    return blocked / (1.0 - load / workers * (1.0 - blocked))


def sojourn_s(service_s: float, workers: int, utilization: float) -> float:
    """Mean time in the system, seconds."""
    waiting = erlang_c(workers, utilization * workers)
    return service_s + waiting * service_s / (workers * (1.0 - utilization))


def sojourn_tail(t_s: float, service_s: float, workers: int, utilization: float) -> float:
    """Probability that the time in the system exceeds t: service, or wait and service."""
    waiting = erlang_c(workers, utilization * workers)
    served, drained = 1.0 / service_s, workers * (1.0 - utilization) / service_s
    if abs(drained - served) < 1e-9 * served:
        both = (1.0 + served * t_s) * exp(-served * t_s)
    else:
        both = drained * exp(-served * t_s) - served * exp(-drained * t_s)
        both /= drained - served
    return (1.0 - waiting) * exp(-served * t_s) + waiting * both


def sojourn_quantile_s(level: float, service_s: float, workers: int, utilization: float) -> float:
    """Time in the system that a share `level` of the requests stays below, by bisection."""
    low, high = 0.0, 1e3 * service_s
    for _ in range(100):
        middle = (low + high) / 2.0
        if sojourn_tail(middle, service_s, workers, utilization) > 1.0 - level:
            low = middle
        else:
            high = middle
    return high
