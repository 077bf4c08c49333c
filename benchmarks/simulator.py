"""Speed and memory of the simulator, against its limits.

`python -m benchmarks.simulator` prints its figures.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.figures import Curve, Part, compared, limited, progress
from benchmarks.report import show
from simulator.simulation import Simulation
from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology

LAYERS, EDGES_PER_SERVICE = 5, 3
BLOCKS, BLOCK_STEPS, WARM_STEPS = 12, 64, 30
SERVICES, EDGES, COPIES = (100, 300, 1000, 3000, 10_000), (1, 2, 4, 8, 16), (1, 10, 50, 200, 500)
COPIED_SERVICES, CONNECTED_SERVICES = 50, 1000
LIMITS_MS = {(10_000, 1): 2.5, (COPIED_SERVICES, 200): 1.5}
MAX_MB, MEMORY_RUNS = 300.0, 3


def plain_topology(
    services: int, seed: int = 1, edges_per_service: int = EDGES_PER_SERVICE
) -> Topology:
    """Make a system of names and dependencies alone, in five layers."""
    rng = np.random.default_rng(seed)
    layer = np.sort(rng.integers(0, LAYERS, services))
    edges: set[tuple[int, int]] = set()
    while len(edges) < edges_per_service * services:
        caller, callee = sorted(rng.integers(0, services, 2).tolist())
        if layer[caller] < layer[callee]:
            edges.add((caller, callee))
    listed: list[dict[str, Any]] = [{"name": f"s{i}", "dependencies": []} for i in range(services)]
    for caller, callee in sorted(edges):
        listed[caller]["dependencies"].append(f"s{callee}")
    return parse_topology({"services": listed})


def sub_step_ms(
    topology: Topology, copies: int, blocks: int = BLOCKS
) -> tuple[list[float], list[float]]:
    """Time of a sub-step in each block, and of a pass beside it, ms.

    Random numbers are included: they are drawn for up to 64 steps at a time, and a block has as
    many. A pass is one multiplication of two arrays of 10,000 numbers: what this machine does
    just now.
    """
    simulation = Simulation(topology, copies=copies, seed=1)
    for _ in range(WARM_STEPS):
        simulation.advance()
    steps, passes = [], []
    for _ in range(blocks):
        began = time.thread_time()
        for _ in range(BLOCK_STEPS):
            simulation.advance()
        steps.append(1e3 * (time.thread_time() - began) / BLOCK_STEPS)
        passes.append(pass_ms())
    return steps, passes


def pass_ms(numbers: int = 10_000, times: int = 500) -> float:
    """Mean CPU time of one multiplication of two arrays."""
    a, b = np.full(numbers, 1.5), np.full(numbers, 2.5)
    began = time.thread_time()
    for _ in range(times):
        np.multiply(a, b)
    return 1e3 * (time.thread_time() - began) / times


def peak_mb(services: int) -> float:
    """Peak memory of a process that simulates so many services."""
    code = (
        "from benchmarks.simulator import plain_topology, sub_step_ms, own_peak_mb\n"
        f"sub_step_ms(plain_topology({services}), 1, 2); print(own_peak_mb())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def own_peak_mb() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def measure(*, quick: bool = False) -> Part:
    """Measure sub-steps by services, edges and copies, and memory."""
    blocks = 2 if quick else BLOCKS
    figures, curves = [], []
    sizes: dict[str, list[tuple[int, int, int]]] = {
        "services": [(services, EDGES_PER_SERVICE, 1) for services in SERVICES],
        "edges": [(CONNECTED_SERVICES, edges, 1) for edges in EDGES],
        "copies": [(COPIED_SERVICES, EDGES_PER_SERVICE, copies) for copies in COPIES],
    }
    for over, grown in sizes.items():
        points = []
        for services, edges, copies in grown[: 2 if quick else None]:
            topology = plain_topology(services, edges_per_service=edges)
            connected = topology.graph().edges
            name = f"sub-step, {services:,} services, {connected:,} edges, {copies} copies"
            progress(f"simulator: {name}")
            steps, passes = sub_step_ms(topology, copies, blocks)
            size = {"services": services, "edges": connected, "copies": copies}[over]
            points.append((float(size), float(np.median(steps))))
            if limit := LIMITS_MS.get((services, copies)):
                figures.append(limited(name, steps, "ms", limit))
                figures.append(compared(name, steps, "ms", "a pass over 10,000 numbers", passes))
        curves.append(Curve("sub-step of the simulator", "ms", over, tuple(points)))
    progress("simulator: memory")
    memory = [peak_mb(max(SERVICES)) for _ in range(1 if quick else MEMORY_RUNS)]
    figures.append(limited(f"peak memory, {max(SERVICES):,} services", memory, "MB", MAX_MB))
    return Part("Simulator", figures, curves)


if __name__ == "__main__":
    show(measure())
