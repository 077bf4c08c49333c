"""The steady state of a healthy system: what sizes its capacities, timeouts and objectives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.laws.fan_out import FanOut
from simulator.laws.latency_law import percentiles
from simulator.laws.waiting import StationaryWait
from telemetry.graph import FloatArray, IntArray

TOLERANCE = 1e-9
MAX_LOAD_RPS = 1e9


class NominalCalls(NamedTuple):
    """Edges of the call graph: who calls whom how often; arrays of shape (E,).

    `parallel` (S,) says of each service whether it makes its calls all at once.
    """

    caller: IntArray
    callee: IntArray
    calls_per_request: FloatArray
    parallel: NDArray[np.bool_]


def arrival_rates(calls: NominalCalls, ingress_rps: FloatArray) -> FloatArray | None:
    """Load that reaches each service, requests per second, shape (S,).

    The fixed point of A = ingress + calls into it. None if the load grows without bound, which
    only a cycle of at least one call per request can bring about.
    """
    arrival = ingress_rps
    for _ in range(20 * len(ingress_rps) + 1000):
        called = np.bincount(
            calls.callee, arrival[calls.caller] * calls.calls_per_request, len(ingress_rps)
        )
        following = ingress_rps + called
        if following.max(initial=0.0) > MAX_LOAD_RPS:
            return None
        if np.abs(following - arrival).max(initial=0.0) <= TOLERANCE * following.max(initial=1.0):
            return following
        arrival = following
    return None


def latency_p95_s(
    calls: NominalCalls, wait: StationaryWait, service_s: FloatArray, service_cv: FloatArray
) -> FloatArray:
    """95th percentile of the latency of each service, dependencies included, seconds, (S,).

    Nothing fails and nothing times out.
    """
    own_mean = wait.mean_s + service_s
    own_variance = wait.variance_s2() + (service_s * service_cv) ** 2
    mean, variance = own_mean, own_variance
    often = calls.calls_per_request
    chance = np.minimum(often, 1.0)
    together = FanOut(calls.caller, often[:, None], calls.parallel)
    for _ in range(20 * len(service_s) + 1000):
        m, v = mean[calls.callee], variance[calls.callee]
        waiting = np.bincount(calls.caller, often * m, len(mean))
        spread = np.bincount(calls.caller, often * v + often * (1.0 - chance) * m * m, len(mean))
        if len(together.edges):
            one, square = m[together.edges, None], (v + m * m)[together.edges, None]
            longest, longest_variance = together.longest(one, square)
            waiting[together.callers] = longest[:, 0]
            spread[together.callers] = longest_variance[:, 0]
        following, variance = own_mean + waiting, own_variance + spread
        settled = np.abs(following - mean).max(initial=0.0) <= TOLERANCE * following.max(
            initial=0.0
        )
        mean = following
        if settled:
            break
    return percentiles(mean, variance)[1]
