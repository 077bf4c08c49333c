"""Resolve what a topology file leaves out, so that the system is healthy at its default load."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from simulator.laws.waiting import SATURATION, exponents, stationary_wait
from simulator.topology import defaults
from simulator.topology.nominal import NominalCalls, arrival_rates, latency_p95_s
from simulator.topology.resolved import Dependency, Memory, Service, Slo, Topology
from telemetry.graph import FloatArray
from telemetry.topology.call_graph import default_entries, depth, walk
from telemetry.topology.specification import ServiceSpec, TopologySpec


class UnboundedLoadError(ValueError):
    """A cycle of calls whose load grows without bound."""


@dataclass(frozen=True)
class _Nominal:
    """The healthy steady state; arrays of shape (S,)."""

    calls: NominalCalls
    ingress_rps: FloatArray
    arrival_rps: FloatArray
    replicas: FloatArray
    workers: FloatArray
    service_ms: FloatArray
    utilisation: FloatArray
    p95_ms: FloatArray


def resolve(spec: TopologySpec) -> Topology:
    """Resolve every default of `spec`.

    Raises
    ------
    UnboundedLoadError
        If calls go round a cycle at least once per request.
    """
    nominal = _nominal(spec)
    timeouts = _timeouts_ms(spec, nominal)
    user_timeouts = np.maximum(defaults.MIN_USER_TIMEOUT_MS, defaults.P95_FACTOR * nominal.p95_ms)
    patience = np.maximum(defaults.MIN_TIMEOUT_MS, defaults.P95_FACTOR * nominal.p95_ms)
    np.minimum.at(patience, nominal.calls.callee, timeouts)
    services = []
    edge = 0
    for i, service in enumerate(spec.services):
        edges = slice(edge, edge := edge + len(service.dependencies))
        services.append(
            _service(
                service,
                i,
                nominal,
                patience_ms=float(patience[i]),
                user_timeout_ms=float(user_timeouts[i]),
                dependencies=_dependencies(
                    service, nominal.calls.calls_per_request[edges], timeouts[edges]
                ),
            )
        )
    return Topology(spec.name, tuple(services), _warnings(spec, nominal, timeouts))


def _nominal(spec: TopologySpec) -> _Nominal:
    """Load, capacity and latency of each service when all is well."""
    services = spec.services
    calls, ingress = _nominal_calls(spec)
    arrival = arrival_rates(calls, ingress)
    if arrival is None:
        raise UnboundedLoadError(
            "expected cycles that are called less than once per request: "
            "the load grows without bound"
        )
    service_ms = np.array([_service_time_ms(service) for service in services])
    capacity = [
        _capacity(service, rate * ms / 1000.0)
        for service, rate, ms in zip(services, arrival, service_ms, strict=True)
    ]
    replicas = np.array([r for r, _ in capacity], dtype=np.float64)
    workers = np.array([w for _, w in capacity], dtype=np.float64)
    utilisation = arrival * service_ms / 1000.0 / (replicas * workers)
    cv = np.array([service.service_time_cv for service in services])
    service_s = service_ms / 1000.0
    wait = stationary_wait(
        utilisation,
        exponents(replicas * workers),
        service_s / (replicas * workers),
        0.5 + 0.5 * cv * cv,
    )
    p95 = 1000.0 * latency_p95_s(calls, wait, service_s, cv)
    return _Nominal(calls, ingress, arrival, replicas, workers, service_ms, utilisation, p95)


def _nominal_calls(spec: TopologySpec) -> tuple[NominalCalls, FloatArray]:
    """Edges with their calls per request, and the load from outside, shape (S,)."""
    services = spec.services
    index = {service.name: i for i, service in enumerate(services)}
    graph = [[index[call.service] for call in service.dependencies] for service in services]
    entered = [bool(service.ingress_rps) for service in services]
    needed = set(default_entries(graph, entered))
    ingress = [
        (defaults.INGRESS_RPS if i in needed else 0.0)
        if service.ingress_rps is None
        else service.ingress_rps
        for i, service in enumerate(services)
    ]
    order = walk(graph, [i for i, rate in enumerate(ingress) if rate > 0])
    # The deeper the graph, the less each level may multiply the calls.
    per_level = defaults.MAX_AMPLIFICATION ** (1.0 / max(1, depth(graph, order)))
    often = []
    for caller, service in enumerate(services):
        share = min(1.0, per_level / max(1, len(service.dependencies)))
        for position, call in enumerate(service.dependencies):
            damping = defaults.BACK_EDGE_DAMPING if (caller, position) in order.back_edges else 1.0
            often.append(
                share * damping if call.calls_per_request is None else call.calls_per_request
            )
    return NominalCalls(
        np.repeat(np.arange(len(graph)), [len(callees) for callees in graph]),
        np.array([callee for callees in graph for callee in callees], dtype=np.intp),
        np.array(often, dtype=np.float64),
        np.array([service.parallel_calls for service in services], dtype=np.bool_),
    ), np.array(ingress, dtype=np.float64)


def _capacity(service: ServiceSpec, busy: float) -> tuple[int, int]:
    """Replicas, and workers of each, for a load that keeps `busy` workers busy."""
    wanted = busy / defaults.TARGET_UTILISATION
    if service.replicas is not None:
        replicas = service.replicas
    elif service.workers is not None:
        replicas = max(defaults.MIN_REPLICAS, ceil(wanted / service.workers))
    else:
        few = ceil(wanted / defaults.MIN_WORKERS)
        replicas = min(max(few, defaults.MIN_REPLICAS), defaults.MAX_REPLICAS)
    workers = service.workers or max(defaults.MIN_WORKERS, ceil(wanted / replicas))
    return replicas, workers


def _timeouts_ms(spec: TopologySpec, nominal: _Nominal) -> FloatArray:
    """Timeout of each edge, shape (E,)."""
    stated = [call.timeout_ms for service in spec.services for call in service.dependencies]
    default = np.maximum(
        defaults.MIN_TIMEOUT_MS, defaults.P95_FACTOR * nominal.p95_ms[nominal.calls.callee]
    )
    return np.array(
        [d if s is None else s for s, d in zip(stated, default, strict=True)], dtype=np.float64
    )


def _dependencies(
    service: ServiceSpec, often: FloatArray, timeouts_ms: FloatArray
) -> tuple[Dependency, ...]:
    return tuple(
        call.into(
            Dependency,
            calls_per_request=calls_per_request,
            timeout_ms=timeout_ms,
            retries=defaults.RETRIES if call.retries is None else call.retries,
        )
        for call, calls_per_request, timeout_ms in zip(
            service.dependencies, often.tolist(), timeouts_ms.tolist(), strict=True
        )
    )


def _service(
    service: ServiceSpec,
    i: int,
    nominal: _Nominal,
    *,
    patience_ms: float,
    user_timeout_ms: float,
    dependencies: tuple[Dependency, ...],
) -> Service:
    workers = int(nominal.workers[i])
    service_ms = float(nominal.service_ms[i])
    queue_limit = service.queue_limit
    if queue_limit is None:
        queue_limit = _queue_limit(workers, service_ms, float(nominal.utilisation[i]), patience_ms)
    arrival = float(nominal.arrival_rps[i])
    kind = defaults.KIND_DEFAULTS[service.kind]
    slo = service.slo
    return service.into(
        Service,
        ingress_rps=float(nominal.ingress_rps[i]),
        replicas=int(nominal.replicas[i]),
        workers=workers,
        cores=float(workers) if service.cores is None else service.cores,
        service_time_ms=service_ms,
        queue_limit=queue_limit,
        memory=_memory(service, queue_limit + workers),
        startup_s=kind.startup_s if service.startup_s is None else service.startup_s,
        slo=slo.into(
            Slo,
            latency_ms=slo.latency_ms
            or max(defaults.MIN_SLO_LATENCY_MS, defaults.P95_FACTOR * float(nominal.p95_ms[i])),
            throughput_rps=defaults.SLO_THROUGHPUT_SHARE * arrival
            if slo.throughput_rps is None
            else slo.throughput_rps,
        ),
        dependencies=dependencies,
        user_timeout_ms=user_timeout_ms,
        arrival_rps=arrival,
    )


def _queue_limit(workers: int, service_ms: float, utilisation: float, patience_ms: float) -> int:
    """Bound the queue of a replica: worth waiting for, never full at the nominal load."""
    worth = defaults.QUEUE_SHARE_OF_TIMEOUT * patience_ms * workers / service_ms
    load = min(max(utilisation, 1e-9), SATURATION)
    return max(
        defaults.MIN_QUEUE_LIMIT, ceil(worth), ceil(log(defaults.NOMINAL_BLOCKING) / log(load))
    )


def _memory(service: ServiceSpec, full: int) -> Memory:
    """Memory of a replica that holds at most `full` requests of its own work."""
    kind = defaults.KIND_DEFAULTS[service.kind]
    stated = service.memory
    limit = stated.limit_mb
    if limit is None:
        limit = kind.memory_limit_mb
        if stated.base_mb is not None:
            limit = max(limit, stated.base_mb / kind.memory_base_share)
    base = kind.memory_base_share * limit if stated.base_mb is None else stated.base_mb
    per_request = stated.per_request_kb
    if per_request is None:
        room_kb = 1024.0 * (limit - base)
        per_request = min(
            defaults.PER_REQUEST_KB, defaults.FULL_QUEUE_MEMORY_SHARE * room_kb / full
        )
    return Memory(limit_mb=limit, base_mb=base, per_request_kb=per_request)


def _service_time_ms(service: ServiceSpec) -> float:
    if service.service_time_ms is None:
        return defaults.KIND_DEFAULTS[service.kind].service_time_ms
    return service.service_time_ms


def _warnings(spec: TopologySpec, nominal: _Nominal, timeouts: FloatArray) -> tuple[str, ...]:
    warnings = [
        f"{service.name}: its nominal load is {utilisation:.0%} of its capacity"
        for service, utilisation in zip(spec.services, nominal.utilisation, strict=True)
        if utilisation > 0.9
    ]
    calls = nominal.calls
    for edge in np.flatnonzero(timeouts < nominal.p95_ms[calls.callee]):
        caller, callee = (spec.services[i[edge]].name for i in (calls.caller, calls.callee))
        warnings.append(
            f"{caller} -> {callee}: the timeout of {timeouts[edge]:g} ms is below the callee's "
            f"nominal 95th percentile of {nominal.p95_ms[calls.callee[edge]]:.0f} ms"
        )
    return tuple(warnings)
