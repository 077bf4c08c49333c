"""Sums sub-steps up to what is seen of an interval (frame) and to what was so (truth)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from simulator import measurement
from simulator.conditions import Conditions
from simulator.frame import Frame, Truth
from simulator.graph import FloatArray
from simulator.latency_law import percentiles
from simulator.parameters import CPU_PER_BUSY_SHARE, Parameters
from simulator.step import Flows
from simulator.wiring import Wiring

MS = 1e3
PERCENT = 100.0


@dataclass(eq=False)
class Sums:
    """Sums over the sub-steps of one interval: services (B, S), calls (B, C)."""

    attempts: FloatArray
    failed: FloatArray
    lost: FloatArray
    seen: FloatArray
    time: FloatArray
    time_square: FloatArray
    arrived: FloatArray
    departed: FloatArray
    flood: FloatArray
    flood_failed: FloatArray
    failed_own: FloatArray
    failed_rejected: FloatArray
    failed_dependency: FloatArray
    failed_timeout: FloatArray
    response: FloatArray
    response_square: FloatArray
    dependency: FloatArray
    busy: FloatArray
    present: FloatArray
    cpu: FloatArray
    memory: FloatArray
    serving: FloatArray
    ready: FloatArray
    availability: FloatArray
    memory_kills: FloatArray


_OF_CALLS = frozenset({"attempts", "failed", "lost", "seen", "time", "time_square"})


@dataclass(frozen=True, eq=False)
class ServiceLatency:
    """Latency at the services over one interval, not cut off at timeouts; shape (B, S).

    Attributes
    ----------
    mean_s, variance_s2
        Of one request.
    requests
        How many there were.
    """

    mean_s: FloatArray
    variance_s2: FloatArray
    requests: FloatArray


class Observer:
    """Observes B copies of a system."""

    def __init__(self, parameters: Parameters, wiring: Wiring, copies: int) -> None:
        self._p = parameters
        self._wiring = wiring
        shapes = {True: (copies, parameters.calls), False: (copies, parameters.services)}
        self._sums = Sums(
            **{field.name: np.zeros(shapes[field.name in _OF_CALLS]) for field in fields(Sums)}
        )
        self._steps = 0
        self._patience_s = np.zeros(parameters.services)
        np.maximum.at(self._patience_s, parameters.callee, parameters.timeout_s)

    @staticmethod
    def measurement_width(p: Parameters) -> int:
        """Count the normal numbers per frame: two per call, five per service, one per edge."""
        return 2 * p.calls + 5 * p.services + p.edges

    @staticmethod
    def counting_width(p: Parameters) -> int:
        """Uniform numbers per frame: two per call."""
        return 2 * p.calls

    def begin(self) -> None:
        """Begin a new interval."""
        self._steps = 0
        for values in vars(self._sums).values():
            values.fill(0.0)

    def add(
        self, flows: Flows, conditions: Conditions, dependency_s: FloatArray, step_s: float
    ) -> None:
        """Add one sub-step; `dependency_s` is part of its latency."""
        sums, wiring, outcome, queue = self._sums, self._wiring, flows.outcome, flows.queue
        self._steps += 1
        blocked = flows.offered.blocked
        sums.attempts += outcome.attempts + blocked
        sums.failed += outcome.failed + blocked
        sums.lost += outcome.lost
        sums.seen += outcome.attempts * outcome.seen
        sums.time += outcome.attempts * outcome.time_s
        sums.time_square += outcome.attempts * outcome.time_square_s2

        sums.arrived += queue.arrived
        sums.departed += queue.departed
        flood = conditions.flood_rps * step_s
        reached = wiring.into_callee(outcome.attempts - outcome.lost) + flood
        taken = reached * (1.0 - flows.refused)
        own = taken * flows.own_failure
        dependency = (taken - own) * (1.0 - flows.dependency_success)
        sums.failed_rejected += reached - taken
        sums.failed_own += own
        sums.failed_dependency += dependency
        sums.failed_timeout += wiring.into_callee(outcome.timed_out)
        sums.flood += flood
        good = (1.0 - flows.refused) * (1.0 - flows.own_failure) * flows.dependency_success
        sums.flood_failed += flood * (1.0 - good)

        mean = flows.response_s
        sums.response += queue.departed * mean
        sums.response_square += queue.departed * (flows.response_variance_s2 + mean * mean)
        sums.dependency += queue.departed * dependency_s

        serving = flows.replicas.ready > 0
        sums.serving += serving
        sums.busy += queue.busy
        sums.present += flows.replicas.ready * self._p.workers
        sums.cpu += np.where(serving, flows.capacity.cpu_load, 0.0)
        sums.memory += np.where(serving, flows.replicas.memory, 0.0)
        sums.ready += flows.replicas.ready
        sums.availability += flows.replicas.availability
        sums.memory_kills += flows.replicas.memory_kills

    def frame(
        self, t_s: float, interval_s: float, normals: FloatArray, uniforms: FloatArray
    ) -> Frame:
        """See the interval as monitoring does; `normals` and `uniforms` have the widths above."""
        p, sums, wiring = self._p, self._sums, self._wiring
        cuts = np.cumsum([p.calls, p.calls, p.edges, *4 * [p.services]])
        z_count, z_failed, z_edge, z_cpu, z_memory, z_body, z_tail, z_flood = np.split(
            normals, cuts, axis=1
        )
        u_count, u_failed = np.split(uniforms, 2, axis=1)

        calls = measurement.counted(sums.attempts, np.sqrt(sums.attempts), z_count, u_count)
        share = _ratio(sums.failed, sums.attempts, 0.0)
        spread = np.sqrt(calls * share * (1.0 - share))
        failed_calls = np.minimum(
            measurement.counted(calls * share, spread, z_failed, u_failed), calls
        )
        flood = np.maximum(np.floor(sums.flood + np.sqrt(sums.flood) * z_flood), 0.0)
        flood_failed = np.floor(flood * _ratio(sums.flood_failed, sums.flood, 0.0))
        requests = wiring.into_callee(calls) + flood
        failed = wiring.into_callee(failed_calls) + flood_failed

        seen = wiring.into_callee(sums.seen)
        mean = np.where(requests > 0, _ratio(wiring.into_callee(sums.time), seen, np.nan), np.nan)
        square = _ratio(wiring.into_callee(sums.time_square), seen, np.nan)
        variance = np.maximum(square - mean * mean, 0.0)
        cv = np.sqrt(variance) / mean
        p50, p95, p99 = percentiles(mean, variance)

        def latency_ms(value: FloatArray, deviation: float, z: FloatArray) -> FloatArray:
            value = measurement.sampled(value, cv, deviation, requests, z)
            return MS * np.minimum(value, self._patience_s)

        p50_ms = latency_ms(p50, measurement.P50_DEVIATION, z_body)
        p95_ms = np.maximum(latency_ms(p95, measurement.P95_DEVIATION, z_tail), p50_ms)
        p99_ms = np.maximum(latency_ms(p99, measurement.P99_DEVIATION, z_tail), p95_ms)

        serving = sums.serving > 0
        busy, workers = sums.busy / self._steps, sums.present / self._steps
        deviation = measurement.busy_deviation(busy, p.service_s, interval_s)
        cpu_noise = CPU_PER_BUSY_SHARE * deviation / np.maximum(workers, 1e-9) * z_cpu
        cpu = _ratio(sums.cpu, sums.serving, np.nan) + cpu_noise
        memory = PERCENT * _ratio(sums.memory, sums.serving, np.nan)
        memory += measurement.MEMORY_NOISE_PERCENT * z_memory

        edges = np.s_[:, : p.edges]
        edge_calls = calls[edges]
        edge_mean = _ratio(sums.time[edges], sums.seen[edges], np.nan)
        edge_square = _ratio(sums.time_square[edges], sums.seen[edges], np.nan)
        edge_cv = np.sqrt(np.maximum(_ratio(edge_square, edge_mean**2, np.nan) - 1.0, 0.0))
        edge_mean = measurement.sampled(
            edge_mean, edge_cv, measurement.MEAN_DEVIATION, edge_calls, z_edge
        )
        return Frame(
            t_s=t_s,
            interval_s=interval_s,
            cpu_percent=np.where(serving, PERCENT * np.clip(cpu, 0.0, 1.0), np.nan),
            memory_percent=np.clip(memory, 0.0, PERCENT),
            latency_ms=latency_ms(mean, measurement.MEAN_DEVIATION, z_body),
            latency_p50_ms=p50_ms,
            latency_p95_ms=p95_ms,
            latency_p99_ms=p99_ms,
            error_rate_percent=PERCENT * _ratio(failed, requests, np.nan),
            request_count=requests,
            failed_count=failed,
            throughput_rps=(requests - failed) / interval_s,
            availability_percent=PERCENT * sums.availability / self._steps,
            edge_call_rate_rps=edge_calls / interval_s,
            edge_error_rate_percent=PERCENT * _ratio(failed_calls[edges], edge_calls, np.nan),
            edge_latency_ms=MS
            * np.where(edge_calls > 0, np.minimum(edge_mean, p.timeout_s[: p.edges]), np.nan),
        )

    def truth(self, interval_s: float) -> Truth:
        """Say what was so over the interval."""
        sums = self._sums
        return Truth(
            utilization=_ratio(sums.busy, sums.present, np.nan),
            cpu_load=_ratio(sums.cpu, sums.serving, np.nan),
            offered_ratio=_ratio(
                sums.arrived / interval_s, self._p.nominal_rps + 0.0 * sums.arrived, np.nan
            ),
            ready_replicas=sums.ready / self._steps,
            failed_own=sums.failed_own.copy(),
            failed_rejected=sums.failed_rejected.copy(),
            failed_dependency=sums.failed_dependency.copy(),
            failed_network=self._wiring.into_callee(sums.lost),
            failed_timeout=sums.failed_timeout.copy(),
            memory_kills=sums.memory_kills.copy(),
            dependency_latency_share=_ratio(sums.dependency, sums.response, 0.0),
        )

    def service_latency(self) -> ServiceLatency:
        """Latency over the interval, not cut off at timeouts."""
        sums = self._sums
        mean = _ratio(sums.response, sums.departed, np.nan)
        square = _ratio(sums.response_square, sums.departed, np.nan)
        return ServiceLatency(mean, np.maximum(square - mean * mean, 0.0), sums.departed.copy())


def _ratio(part: FloatArray, whole: FloatArray, otherwise: float) -> FloatArray:
    """Give part / whole, and `otherwise` where whole is 0."""
    return np.divide(part, whole, out=np.full_like(part, otherwise), where=whole > 0)
