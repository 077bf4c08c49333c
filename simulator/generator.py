"""Random realistic systems.

Shapes follow published aggregates (Meta's 2022 study of 7,483 services, Alibaba's traces):
fan-out median 4, p90 23, none for some 15 to 40 %; fan-in median 1 with a heavy tail, so that a
few services hold most incoming edges; depth 2 to 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.topology import Topology
from simulator.topology_file import parse_topology

MAX_DEPTH = 6


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
    depth = int(rng.integers(2, min(MAX_DEPTH, services) + 1))
    layer = np.concatenate([np.arange(depth), rng.integers(1, depth, services - depth)])
    layer.sort()
    attraction = rng.pareto(1.2, services) + 0.1
    names = [f"svc-{i:04d}" for i in range(services)]
    names[0] = "gateway"
    called: set[int] = set()
    entries: list[dict[str, Any]] = []
    for i in range(services):
        below = np.flatnonzero(layer > layer[i])
        wanted = max(1, round(float(rng.lognormal(np.log(2.5), 0.9))))
        leaf = len(below) == 0 or (i > 0 and rng.random() < 0.15)
        callees: list[int] = []
        if not leaf:
            odds = attraction[below] / attraction[below].sum()
            callees = sorted(
                rng.choice(below, size=min(wanted, len(below)), replace=False, p=odds).tolist()
            )
        entries.append(_service(names[i], int(layer[i]), depth, rng))
        entries[i]["callees"] = callees
        called.update(callees)
    for i in range(1, services):  # everybody is called by somebody one layer up or more
        if i not in called:
            above = np.flatnonzero(layer < layer[i])
            entries[int(rng.choice(above))]["callees"].append(i)
    for entry in entries:
        callees = entry.pop("callees")
        entry["dependencies"] = [_dependency(names[j], len(callees), rng) for j in callees]
    return {"name": f"random-{services}-{seed}", "services": entries}


def _service(name: str, layer: int, depth: int, rng: np.random.Generator) -> dict[str, Any]:
    if layer == 0:
        kind = "gateway"
    elif layer == depth - 1:
        kind = str(rng.choice(["database", "cache", "service", "external"], p=[0.4, 0.2, 0.3, 0.1]))
    else:
        kind = "service"
    mean = {"gateway": 10.0, "service": 20.0, "database": 10.0, "cache": 2.0, "external": 50.0}[
        kind
    ]
    entry: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "replicas": int(rng.choice([2, 3, 4, 6, 8])),
        "service_time_ms": round(float(mean * rng.lognormal(0.0, 0.4)), 2),
        "service_time_cv": round(float(rng.uniform(0.7, 1.5)), 2),
        "startup_s": round(float(rng.uniform(5, 20)), 1),
        "memory": {"limit_mb": 1024, "base_mb": round(float(rng.uniform(250, 550)))},
    }
    if layer == 0:
        entry["ingress_rps"] = round(float(rng.lognormal(np.log(150), 0.5)), 1)
    return entry


def _dependency(name: str, fan_out: int, rng: np.random.Generator) -> dict[str, Any]:
    calls = min(1.0, 4.0 / fan_out) * float(rng.uniform(0.4, 1.0))
    entry: dict[str, Any] = {
        "service": name,
        "calls_per_request": round(max(calls, 0.02), 3),
        "retries": int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2])),
        "required": bool(rng.random() < 0.75),
        "circuit_breaker": bool(rng.random() < 0.2),
    }
    if rng.random() < 0.4:
        entry["retry_budget"] = 0.2
    return entry
