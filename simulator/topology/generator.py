"""Random realistic systems.

Shapes follow published aggregates of Meta's 2022 study of 7,483 services and of Alibaba's traces
(simulation.md, section 2): fan-out median 4, 90th percentile 23, none for 15 %; fan-in median 1,
90th percentile 19, 99th 201, none for 39 %; the top 5 % of services hold 82 % of the incoming
edges; replicas median 8, 90th percentile 650; chains of 2 to 6 calls. Small systems have less of
the tails.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.topology.file import parse_topology
from simulator.topology.nominal import NominalCalls, arrival_rates
from simulator.topology.resolved import Topology
from telemetry.graph import FloatArray, IntArray
from telemetry.topology.specification import MAX_REPLICAS

MIN_DEPTH, MAX_DEPTH = 2, 6
ENTRY_SHARE, LEAF_SHARE = 0.39, 0.15
FAN_OUT_LOG_MEDIAN, FAN_OUT_LOG_DEVIATION = 1.67, 1.24
"""Of the services that call anybody; with the leaves this gives median 4, 90th percentile 23."""
POPULAR_SHARE, POPULAR_EXPONENT, UNPOPULAR_EXPONENT = 0.1, 1.05, 1.85
"""The k-th most popular service attracts calls as k to the minus the first of these exponents
among the tenth that is most popular, and to the minus the second after them."""
INGRESS_LOG_MEDIAN, INGRESS_LOG_DEVIATION = np.log(600.0), 2.7
SYSTEM_LOG_DEVIATION = 0.7
"""How much busier one system is than another."""
MEAN_SERVICE_MS = {
    "gateway": 10.0, "service": 20.0, "database": 10.0, "cache": 2.0, "queue": 5.0,
    "external": 50.0,
}  # fmt: skip


def random_topology(services: int, seed: int) -> Topology:
    """Return a random system.

    Parameters
    ----------
    services
        How many, at least 2.
    seed
        The same seed gives the same system.
    """
    return parse_topology(random_document(services, seed), source=f"random-{services}-{seed}")


def random_document(services: int, seed: int) -> dict[str, Any]:
    """Return a random system as the content of a topology file."""
    if services < 2:
        raise ValueError("expected at least 2 services")
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, services])))
    layer = _layers(services, rng)
    callees = _callees(layer, rng)
    kinds = _kinds(layer, callees, rng)
    entry = layer == 0
    busy = rng.normal(INGRESS_LOG_MEDIAN, SYSTEM_LOG_DEVIATION)
    ingress = entry * np.exp(rng.normal(busy, INGRESS_LOG_DEVIATION, services)).clip(20.0, 1e6)
    often = [_calls_per_request(len(called), rng) for called in callees]
    calls = NominalCalls(
        np.repeat(np.arange(services), [len(called) for called in callees]),
        np.concatenate(callees),
        np.concatenate(often),
        np.zeros(services, dtype=np.bool_),
    )
    arrival = arrival_rates(calls, ingress)
    if arrival is None:
        raise AssertionError("expected calls from layer to layer only")
    names = [f"{kinds[i]}-{i:0{len(str(services - 1))}d}" for i in range(services)]
    policies = [_policy(rng) for _ in range(services)]
    return {
        "name": f"random-{services}-{seed}",
        "services": [
            {
                "name": names[i],
                **_service(str(kinds[i]), float(arrival[i]), rng),
                **({"ingress_rps": round(float(ingress[i]), 1)} if entry[i] else {}),
                **_way_of_calling(len(callees[i]), rng),
                "dependencies": [
                    {
                        "service": names[j],
                        "calls_per_request": float(n),
                        "required": bool(rng.random() < 0.75),
                        **policies[j],
                    }
                    for j, n in zip(callees[i], often[i], strict=True)
                ],
            }
            for i in range(services)
        ],
    }


def _layers(services: int, rng: np.random.Generator) -> IntArray:
    """Layer of each service, ascending: 0 is called from outside, the last calls nobody."""
    depth = int(rng.integers(MIN_DEPTH, MAX_DEPTH + 1))
    depth = min(depth, services - 1)
    share = rng.random(services)
    middle = rng.integers(1, max(depth, 2), services)
    layer = np.where(share < ENTRY_SHARE, 0, middle)
    layer[share > 1.0 - 0.8 * LEAF_SHARE] = depth
    layer[: depth + 1] = np.arange(depth + 1)  # every layer has somebody
    layer.sort()
    return layer


def _callees(layer: IntArray, rng: np.random.Generator) -> list[IntArray]:
    """Whom each service calls: popular ones of deeper layers; everybody below layer 0 is called."""
    services = len(layer)
    rank = (0.5 + rng.permutation(services)) / (services * POPULAR_SHARE)
    popularity = rank ** -np.where(rank < 1.0, POPULAR_EXPONENT, UNPOPULAR_EXPONENT)
    total = np.concatenate([[0.0], np.cumsum(popularity)])
    first_below = np.searchsorted(layer, layer, side="right")
    fan_out = np.exp(rng.normal(FAN_OUT_LOG_MEDIAN, FAN_OUT_LOG_DEVIATION, services))
    # The last layer calls nobody anyway.
    last = np.mean(layer == layer[-1])
    leaf = rng.random(services) < max(LEAF_SHARE - last, 0.0) / (1.0 - last)
    callees: list[IntArray] = []
    for i in range(services):
        start = first_below[i]
        room = services - start
        if room == 0 or (leaf[i] and layer[i] > 0):
            callees.append(np.empty(0, dtype=np.intp))
            continue
        wanted = min(max(1, round(float(fan_out[i]))), room)
        chosen: set[int] = set()
        for _ in range(20):  # without repeats; the most popular are soon exhausted
            draws = rng.uniform(total[start], total[-1], 2 * (wanted - len(chosen)))
            found = np.searchsorted(total, draws, side="right") - 1
            chosen.update(found.clip(start, services - 1).tolist()[: wanted - len(chosen)])
            if len(chosen) == wanted:
                break
        callees.append(np.array(sorted(chosen), dtype=np.intp))
    called = np.zeros(services, dtype=np.bool_)
    called[np.concatenate(callees)] = True
    for j in np.flatnonzero(~called & (layer > 0)):
        above = int(np.searchsorted(layer, layer[j]))
        willing = np.flatnonzero([len(callees[i]) > 0 for i in range(above)])
        i = int(rng.choice(willing if len(willing) else np.arange(above)))
        callees[i] = np.sort(np.append(callees[i], j))
    return callees


def _kinds(layer: IntArray, callees: list[IntArray], rng: np.random.Generator) -> list[str]:
    kinds = []
    for i, called in enumerate(callees):
        if layer[i] == 0:
            kinds.append("gateway" if i == 0 or rng.random() < 0.2 else "service")
        elif len(called):
            kinds.append("queue" if rng.random() < 0.05 else "service")
        else:
            leaves = ["database", "cache", "service", "external"]
            kinds.append(str(rng.choice(leaves, p=[0.45, 0.2, 0.25, 0.1])))
    return kinds


def _calls_per_request(fan_out: int, rng: np.random.Generator) -> FloatArray:
    """First attempts per request along each edge: one to three in all."""
    if fan_out == 0:
        return np.empty(0)
    together = min(float(fan_out), float(rng.uniform(1.0, 3.0)))
    shares = rng.uniform(0.3, 1.0, fan_out)
    often: FloatArray = np.round(np.clip(together * shares / shares.sum(), 0.005, 1.0), 4)
    return often


def _service(kind: str, load_rps: float, rng: np.random.Generator) -> dict[str, Any]:
    """Work of a service, and replicas for 20 to 50 % utilisation."""
    service_ms = round(float(MEAN_SERVICE_MS[kind] * rng.lognormal(0.0, 0.4)), 2)
    workers = int(rng.choice([4, 4, 6, 8, 16]))
    wanted = load_rps * service_ms / 1e3 / float(rng.uniform(0.2, 0.5))
    workers = max(workers, int(np.ceil(wanted / MAX_REPLICAS)))
    return {
        "kind": kind,
        "replicas": max(2, int(np.ceil(wanted / workers))),
        "workers": workers,
        "service_time_ms": service_ms,
        "service_time_cv": round(float(rng.uniform(0.7, 1.5)), 2),
        "startup_s": round(float(rng.uniform(5, 20)), 1),
        "memory": {"limit_mb": 1024, "base_mb": round(float(rng.uniform(250, 550)))},
    }


def _way_of_calling(fan_out: int, rng: np.random.Generator) -> dict[str, Any]:
    """Let some services call in parallel, have a cache, or be slow when they are fresh."""
    keys: dict[str, Any] = {}
    if fan_out > 1 and rng.random() < 0.15:
        keys["parallel_calls"] = True
    if fan_out and rng.random() < 0.1:
        keys["cache"] = {"hit_ratio": round(float(rng.uniform(0.3, 0.9)), 2)}
    if rng.random() < 0.2:
        slowdown = round(float(rng.uniform(1.2, 2.0)), 2)
        keys["warmup"] = {"seconds": round(float(rng.uniform(10, 40)), 1), "slowdown": slowdown}
    return keys


def _policy(rng: np.random.Generator) -> dict[str, Any]:
    """Set how a service is called; as in a service mesh, all its callers do the same."""
    policy: dict[str, Any] = {"retries": int(rng.choice([0, 1, 2], p=[0.3, 0.4, 0.3]))}
    if rng.random() < 0.4:
        policy["retry_budget"] = 0.2
    if rng.random() < 0.2:
        policy["circuit_breaker"] = True
    if rng.random() < 0.05:
        policy["adaptive_throttling"] = True
    if rng.random() < 0.2:
        policy["cancel_on_timeout"] = True
    return policy
