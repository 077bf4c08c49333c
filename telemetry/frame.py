"""Frames: what a monitoring system sees of a system over one interval.

Everything downstream (features, predictions, detectors, clients) sees frames only, and does not
know where they come from.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from telemetry.graph import FloatArray, IntArray

FRAME_INTERVAL_S = 2.0
STALE_INTERVALS, MIN_STALE_S = 3.0, 5.0


def stale_after_s(interval_s: float) -> float:
    """Age above which what is known is stale, seconds: three intervals, and 5 s at least."""
    return max(STALE_INTERVALS * interval_s, MIN_STALE_S)


@dataclass(frozen=True, eq=False)
class Age:
    """How old the values of a frame are, by their kind: seconds since they were observed.

    Attributes
    ----------
    requests_s, resources_s
        (B, S), of the metrics of `Kind.REQUESTS` and of `Kind.RESOURCES`; 0 where fresh, NaN where
        they have never been observed.
    edges_s
        (B, E), of those of the edges.
    """

    requests_s: FloatArray
    resources_s: FloatArray
    edges_s: FloatArray

    def stale(self, interval_s: float) -> NDArray[np.bool_]:
        """Find the services of which nothing recent is known, (B, S): both kinds are stale."""
        recent_s = stale_after_s(interval_s)
        return ~((self.requests_s <= recent_s) | (self.resources_s <= recent_s))


@dataclass(frozen=True, eq=False)
class Frame:
    """What monitoring sees over [t_s, t_s + interval_s), for B copies of one system.

    Arrays have shape (B, S), those of edges (B, E), in the order of the `ServiceGraph`; a live
    system has B = 1; `telemetry.metrics.METRICS` says more of each. NaN means not observed (for
    example the latency of a service that was not called). "As the callers see it" includes
    network and waiting, ends at the caller's timeout, and for an entry is what its users see.

    Attributes
    ----------
    t_s
        Start of the interval in simulated seconds since the start of the run.
    interval_s
        Length of the interval in seconds.
    cpu_percent, memory_percent
        Mean over the ready replicas, percent of the limit, 0 to 100.
    latency_ms, latency_p50_ms, latency_p95_ms, latency_p99_ms
        Latency as the callers see it.
    error_rate_percent
        Failed attempts over all attempts as the callers see them, 0 to 100.
    request_count, failed_count
        Attempts in the interval, retries included, and those of them that failed.
    throughput_rps
        Requests answered successfully per second.
    availability_percent
        Ready replicas over configured ones, mean over the interval, 0 to 100.
    edge_call_rate_rps
        Calls per second along each edge, retries included.
    edge_error_rate_percent
        Failed calls over all calls along each edge, as the caller sees them.
    edge_latency_ms
        Mean latency of the calls along each edge, as the caller sees it.
    age
        How old these values are; None: all of them are fresh, as those of the simulator.
    """

    t_s: float
    interval_s: float
    cpu_percent: FloatArray
    memory_percent: FloatArray
    latency_ms: FloatArray
    latency_p50_ms: FloatArray
    latency_p95_ms: FloatArray
    latency_p99_ms: FloatArray
    error_rate_percent: FloatArray
    request_count: FloatArray
    failed_count: FloatArray
    throughput_rps: FloatArray
    availability_percent: FloatArray
    edge_call_rate_rps: FloatArray
    edge_error_rate_percent: FloatArray
    edge_latency_ms: FloatArray
    age: Age | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """What only the simulator knows of one interval; for labels and tests, never for features.

    Arrays have shape (B, S) and are means or sums over the interval of the frame.

    Attributes
    ----------
    utilization
        Busy workers over ready workers, 0 to 1; NaN with no ready replica.
    cpu_load
        CPU demand over the CPU limit, background load included; above 1 when throttled.
    offered_ratio
        Arrival rate over the nominal arrival rate.
    ready_replicas
        Replicas that serve.
    failed_own
        Requests failed by the service itself: error bursts, no ready replica, memory kills.
    failed_rejected
        Requests refused because the queue was full.
    failed_dependency
        Requests failed because a required call failed.
    failed_network
        Calls lost on the way.
    failed_timeout
        Calls that the caller gave up on.
    memory_kills
        Replicas killed by their memory limit.
    dependency_latency_share
        Share of the mean latency that is spent waiting for dependencies, 0 to 1.
    """

    utilization: FloatArray
    cpu_load: FloatArray
    offered_ratio: FloatArray
    ready_replicas: FloatArray
    failed_own: FloatArray
    failed_rejected: FloatArray
    failed_dependency: FloatArray
    failed_network: FloatArray
    failed_timeout: FloatArray
    memory_kills: FloatArray
    dependency_latency_share: FloatArray

    def of(self, services: IntArray) -> Self:
        """Choose services, (N,) places among all."""
        return type(self)(**{f.name: getattr(self, f.name)[:, services] for f in fields(self)})
