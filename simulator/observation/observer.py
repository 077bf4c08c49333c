"""Observes an interval: what monitoring sees (frame), and the ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.dynamics.conditions import Conditions
from simulator.dynamics.parameters import CPU_PER_BUSY_WORKER, Parameters
from simulator.dynamics.routes import Routes
from simulator.dynamics.step import Flows
from simulator.dynamics.wiring import Wiring
from simulator.laws.latency_law import percentiles
from simulator.observation import measurement
from simulator.observation.sums import Sums
from telemetry.frame import Frame, Truth
from telemetry.graph import FloatArray

MS = 1e3
PERCENT = 100.0


@dataclass(frozen=True, eq=False)
class ServiceLatency:
    """Latency at the services over one interval, not cut off at timeouts; shape (B, S).

    Attributes
    ----------
    mean_s, variance_s2
        Mean and variance of the latency of one request.
    requests
        Number of requests.
    """

    mean_s: FloatArray
    variance_s2: FloatArray
    requests: FloatArray


class Observer:
    """Observes B copies of a system.

    Inside copies are the last axis, as everywhere in the simulator; frames and truths have them
    first.
    """

    def __init__(self, parameters: Parameters, wiring: Wiring, routes: Routes, copies: int) -> None:
        self._p = parameters
        self._wiring = wiring
        self._copies = copies
        self._patience_s = np.zeros((parameters.services, 1))
        np.maximum.at(self._patience_s, parameters.callee, parameters.timeout_s)
        self.begin(routes)

    @staticmethod
    def measurement_width(p: Parameters) -> int:
        """Count the normal numbers per frame: two per call, five per service, one per edge."""
        return 2 * p.calls + 5 * p.services + p.edges

    @staticmethod
    def counting_width(p: Parameters) -> int:
        """Uniform numbers per frame: two per call."""
        return 2 * p.calls

    def begin(self, routes: Routes) -> None:
        """Begin a new interval."""
        self._routes = routes
        self._sums = Sums.nothing(self._p, routes, self._copies)

    def add(self, flows: Flows, conditions: Conditions) -> None:
        """Add one sub-step."""
        self._sums.add(self._p, self._routes, flows, conditions)

    def frame(
        self, t_s: float, interval_s: float, normals: FloatArray, uniforms: FloatArray
    ) -> Frame:
        """See the interval as monitoring does; `normals` and `uniforms` have the widths above."""
        p, sums, routes = self._p, self._sums, self._routes
        into_callee = self._wiring.into_callee
        cuts = np.cumsum([p.calls, p.calls, p.edges, *4 * [p.services]])
        z_count, z_failed, z_edge, z_cpu, z_memory, z_body, z_tail, z_flood = np.split(
            normals, cuts, axis=0
        )
        u_count, u_failed = np.split(uniforms, 2, axis=0)

        calls = measurement.counted(sums.attempts, np.sqrt(sums.attempts), z_count, u_count)
        share = _ratio(sums.failed, sums.attempts, 0.0)
        spread = np.sqrt(calls * share * (1.0 - share))
        failed_calls = np.minimum(
            measurement.counted(calls * share, spread, z_failed, u_failed), calls
        )
        flood = np.maximum(np.floor(sums.flood + np.sqrt(sums.flood) * z_flood), 0.0)
        flood_failed = np.floor(flood * _ratio(sums.flood_failed, sums.flood, 0.0))
        requests = into_callee(calls) + flood
        failed = into_callee(failed_calls) + flood_failed

        awaited = self._of_services(sums.route_awaited, sums.beyond_awaited)
        time_s = self._of_services(sums.route_time, sums.beyond_time)
        time_square = self._of_services(sums.route_time_square, sums.beyond_time_square)
        mean = _ratio(time_s, awaited, np.nan)
        mean[requests <= 0.0] = np.nan
        square = _ratio(time_square, awaited, np.nan)
        variance = np.maximum(square - mean * mean, 0.0)
        cv = np.sqrt(variance) / mean
        p50, p95, p99 = percentiles(mean, variance)

        def latency_ms(value: FloatArray, deviation: float, z: FloatArray) -> FloatArray:
            value = measurement.sampled(value, cv, deviation, requests, z)
            return MS * np.minimum(value, self._patience_s)

        p50_ms = latency_ms(p50, measurement.P50_DEVIATION, z_body)
        p95_ms = np.maximum(latency_ms(p95, measurement.P95_DEVIATION, z_tail), p50_ms)
        p99_ms = np.maximum(latency_ms(p99, measurement.P99_DEVIATION, z_tail), p95_ms)

        serving = sums.serving > 0.0
        busy, workers = sums.busy / sums.steps, sums.ready * p.workers / sums.steps
        deviation = measurement.busy_deviation(busy, p.service_s, interval_s)
        cpu_noise = CPU_PER_BUSY_WORKER * deviation / np.maximum(workers, 1e-9) * z_cpu
        cpu = _ratio(sums.cpu, sums.serving, np.nan) + cpu_noise
        memory = PERCENT * _ratio(sums.memory, sums.serving, np.nan)
        memory += measurement.MEMORY_NOISE_PERCENT * z_memory

        edges = slice(p.edges)
        edge_calls, route = calls[edges], routes.of_call[edges]
        law_mean = _ratio(sums.route_time, sums.route_awaited, np.nan)
        law_square = _ratio(sums.route_time_square, sums.route_awaited, np.nan)
        law_cv = np.sqrt(np.maximum(_ratio(law_square, law_mean**2, np.nan) - 1.0, 0.0))
        # An edge with its own route that loses nothing by itself is like the others.
        own, shared = routes.alone_route, routes.shared_route
        unlike = sums.edge_loss > 0.0
        for law in (law_mean, law_cv):
            law[own] = np.where(unlike, law[own], law[shared])
        edge_mean = measurement.sampled(
            law_mean[route], law_cv[route], measurement.MEAN_DEVIATION, edge_calls, z_edge
        )
        edge_mean[edge_calls <= 0.0] = np.nan
        return Frame(
            t_s=t_s,
            interval_s=interval_s,
            age=None,  # it sees everything at once
            **{
                name: np.ascontiguousarray(values.T)
                for name, values in {
                    "cpu_percent": np.where(serving, PERCENT * np.clip(cpu, 0.0, 1.0), np.nan),
                    "memory_percent": np.clip(memory, 0.0, PERCENT),
                    "latency_ms": latency_ms(mean, measurement.MEAN_DEVIATION, z_body),
                    "latency_p50_ms": p50_ms,
                    "latency_p95_ms": p95_ms,
                    "latency_p99_ms": p99_ms,
                    "error_rate_percent": PERCENT * _ratio(failed, requests, np.nan),
                    "request_count": requests,
                    "failed_count": failed,
                    "throughput_rps": (requests - failed) / interval_s,
                    "availability_percent": PERCENT * sums.availability / sums.steps,
                    "edge_call_rate_rps": edge_calls / interval_s,
                    "edge_error_rate_percent": PERCENT
                    * _ratio(failed_calls[edges], edge_calls, np.nan),
                    "edge_latency_ms": MS * np.minimum(edge_mean, p.timeout_s[edges]),
                }.items()
            },
        )

    def truth(self, interval_s: float) -> Truth:
        """Ground truth of the interval."""
        p, sums = self._p, self._sums
        nominal = np.broadcast_to(p.nominal_rps, sums.arrived.shape)
        return Truth(
            **{
                name: np.ascontiguousarray(values.T)
                for name, values in {
                    "utilization": _ratio(sums.busy, sums.ready * p.workers, np.nan),
                    "cpu_load": _ratio(sums.cpu, sums.serving, np.nan),
                    "offered_ratio": _ratio(sums.arrived / interval_s, nominal, np.nan),
                    "ready_replicas": sums.ready / sums.steps,
                    "failed_own": sums.failed_own,
                    "failed_rejected": sums.failed_rejected,
                    "failed_dependency": sums.failed_dependency,
                    "failed_network": self._of_services(sums.route_lost, sums.beyond_lost),
                    "failed_timeout": self._of_services(
                        sums.route_timed_out, sums.beyond_timed_out
                    ),
                    "memory_kills": sums.memory_kills,
                    "dependency_latency_share": _ratio(sums.dependency, sums.response, 0.0),
                }.items()
            }
        )

    def service_latency(self) -> ServiceLatency:
        """Latency over the interval, not cut off at timeouts."""
        sums = self._sums
        mean = _ratio(sums.response, sums.departed, np.nan)
        square = _ratio(sums.response_square, sums.departed, np.nan)
        variance = np.maximum(square - mean * mean, 0.0)
        return ServiceLatency(mean.T, variance.T, sums.departed.T.copy())

    def _of_services(self, routes: FloatArray, beyond: FloatArray) -> FloatArray:
        """Sum over the shared routes to each service, (R, B) -> (S, B), and what is beyond them."""
        total = np.zeros((self._p.services, self._copies))
        shared = slice(self._routes.shared)
        np.add.at(total, self._routes.callee[shared], routes[shared])
        return total + beyond


def _ratio(part: FloatArray, whole: FloatArray, otherwise: float) -> FloatArray:
    """Give part / whole, and `otherwise` where whole is 0."""
    return np.divide(part, whole, out=np.full_like(part, otherwise), where=whole > 0.0)
