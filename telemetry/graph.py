"""The static view of a system that a monitoring system would have too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

LATENCY_PERCENTILE = 95.0
"""What an objective for the latency is for, unless it says otherwise."""


@dataclass(frozen=True, eq=False)
class ServiceGraph:
    """Services, the calls between them, and what the topology file states about them.

    S is the number of services, E the number of edges. A float that is not known (a system
    that was discovered, not described) is NaN.

    Attributes
    ----------
    name
        Name of the system.
    names
        S unique names, in the order of the topology file.
    kinds
        S kinds: gateway, service, database, cache, queue or external.
    entry
        (S,) bool: load enters from outside here.
    caller, callee
        (E,) service indices of each edge, in the order of the topology file.
    required
        (E,) bool: the caller fails without the callee. True where not known.
    calls_per_request
        (E,) mean calls per request of the caller, first attempts only.
    timeout_ms
        (E,) the caller's timeout for one attempt.
    retries
        (E,) attempts after the first.
    replicas
        (S,) configured replicas.
    ingress_rps
        (S,) nominal load from outside, requests per second; 0 where none enters.
    slo_latency_ms, slo_latency_percentile
        (S,) objective for a percentile of the latency, and which one it is for, 50 to 99.
    slo_error_rate_percent, slo_availability_percent
        (S,) objectives in percent.
    slo_throughput_rps
        (S,) objective for successful requests per second; it counts only while the offered load
        is above it.
    """

    name: str
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    entry: NDArray[np.bool_]
    caller: IntArray
    callee: IntArray
    required: NDArray[np.bool_]
    calls_per_request: FloatArray
    timeout_ms: FloatArray
    retries: FloatArray
    replicas: FloatArray
    ingress_rps: FloatArray
    slo_latency_ms: FloatArray
    slo_latency_percentile: FloatArray
    slo_error_rate_percent: FloatArray
    slo_availability_percent: FloatArray
    slo_throughput_rps: FloatArray

    @property
    def services(self) -> int:
        """Number of services, S."""
        return len(self.names)

    @property
    def edges(self) -> int:
        """Number of edges, E."""
        return len(self.caller)

    @cached_property
    def index(self) -> dict[str, int]:
        """Index of each service by its name."""
        return {name: i for i, name in enumerate(self.names)}
