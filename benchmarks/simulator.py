"""Speed and memory of the simulator: against its limits, and against discrete-event simulations.

`make bench` runs it. Absolute times depend on the machine; the ratios were measured in one run.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

import ciw
import numpy as np
import simpy

from simulator.simulation import Simulation
from simulator.topology import Topology
from simulator.topology_file import parse_topology
from tests.simulator.closed_forms import sojourn_s
from tests.simulator.discrete_event import Call, Clock, Service, poisson

# An open network: load from outside, then (calls per request of) its dependencies in sequence.
INGRESS_RPS = 200.0
NETWORK: dict[str, tuple[float, int, dict[str, float]]] = {
    "front": (0.005, 4, {"middle": 1.0, "side": 0.5}),
    "middle": (0.020, 6, {"back": 1.0}),
    "side": (0.050, 8, {"back": 0.5}),
    "back": (0.004, 2, {}),
}
LOAD = {"front": 200.0, "middle": 200.0, "side": 100.0, "back": 250.0}
LAYERS, EDGES_PER_SERVICE = 5, 3
BLOCKS, BLOCK_STEPS, WARM_STEPS = 8, 64, 30
MOST_MB = 300


def exact_latency_s(name: str = "front") -> float:
    """Mean time of a request, dependencies included: Jackson's theorem."""
    service_s, workers, calls = NETWORK[name]
    own = sojourn_s(service_s, workers, LOAD[name] * service_s / workers)
    return own + sum(often * exact_latency_s(callee) for callee, often in calls.items())


def plain_topology(services: int, seed: int = 1) -> Topology:
    """Make a system of names and dependencies alone: three calls per service, in five layers."""
    rng = np.random.default_rng(seed)
    layer = np.sort(rng.integers(0, LAYERS, services))
    edges: set[tuple[int, int]] = set()
    while len(edges) < EDGES_PER_SERVICE * services:
        caller, callee = sorted(rng.integers(0, services, 2).tolist())
        if layer[caller] < layer[callee]:
            edges.add((caller, callee))
    listed: list[dict[str, Any]] = [{"name": f"s{i}", "dependencies": []} for i in range(services)]
    for caller, callee in sorted(edges):
        listed[caller]["dependencies"].append(f"s{callee}")
    return parse_topology({"services": listed})


def sub_step_ms(topology: Topology, copies: int) -> float:
    """Time of a sub-step, random numbers included: they are drawn for up to 64 steps at a time.

    CPU time over blocks of so many steps, the median of which does not mind a busy machine much.
    """
    simulation = Simulation(topology, copies=copies, seed=1)
    for _ in range(WARM_STEPS):
        simulation.advance()
    times = []
    for _ in range(BLOCKS):
        began = time.thread_time()
        for _ in range(BLOCK_STEPS):
            simulation.advance()
        times.append((time.thread_time() - began) / BLOCK_STEPS)
    return 1e3 * float(np.median(times))


def pass_us(numbers: int = 10_000) -> float:
    """Median time of one multiplication of two arrays: what this machine does just now."""
    a, b = np.full(numbers, 1.5), np.full(numbers, 2.5)
    times = []
    for _ in range(2000):
        began = time.perf_counter()
        np.multiply(a, b)
        times.append(time.perf_counter() - began)
    return 1e6 * float(np.median(times))


def peak_mb(services: int) -> float:
    """Peak memory of a process that simulates so many services."""
    code = (
        "from benchmarks.simulator import plain_topology, sub_step_ms, own_peak_mb\n"
        f"sub_step_ms(plain_topology({services}), 1); print(own_peak_mb())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def own_peak_mb() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def this_model(seconds: float, seed: int, copies: int = 64) -> tuple[float, float]:
    """Mean latency, and simulated seconds (of all copies together)."""
    services = [
        {
            "name": name, "replicas": 1, "workers": workers, "service_time_ms": 1e3 * service_s,
            "ingress_rps": INGRESS_RPS if name == "front" else 0.0, "queue_limit": 1_000_000,
            "memory": {"per_request_kb": 0},
            "dependencies": [
                {"service": callee, "calls_per_request": often, "timeout_ms": 60_000}
                for callee, often in calls.items()
            ],
        }
        for name, (service_s, workers, calls) in NETWORK.items()
    ]  # fmt: skip
    simulation = Simulation(parse_topology({"services": services}), copies=copies, seed=seed)
    means = []
    for _ in range(int(seconds / 2)):
        simulation.next_frame()
        means.append(float(simulation.service_latency.mean_s[:, 0].mean()))
    return fmean(means), seconds * copies


def reference(seconds: float, seed: int) -> tuple[float, float]:
    """Run the discrete-event simulation of the tests."""
    clock, rng = Clock(), random.Random(seed)
    made: dict[str, Service] = {}
    for name, (service_s, workers, calls) in reversed(NETWORK.items()):
        wanted = [Call(made[callee], often) for callee, often in calls.items()]
        made[name] = Service(clock, rng, workers, service_s, calls=wanted)
    front = made["front"]
    poisson(clock, rng, lambda _: INGRESS_RPS, lambda: front.request(lambda _: None))
    clock.run(seconds)
    return fmean(front.latencies_s), seconds


def with_simpy(seconds: float, seed: int) -> tuple[float, float]:
    """Run the same network in SimPy."""
    environment, rng = simpy.Environment(), random.Random(seed)
    workers = {name: simpy.Resource(environment, n) for name, (_, n, _) in NETWORK.items()}
    latencies: list[float] = []

    def request(name: str) -> Iterator[Any]:
        service_s, _, calls = NETWORK[name]
        with workers[name].request() as worker:
            yield worker
            yield environment.timeout(rng.expovariate(1.0 / service_s))
        for callee, often in calls.items():
            if rng.random() < often:
                yield from request(callee)

    def user() -> Iterator[Any]:
        began = environment.now
        yield from request("front")
        latencies.append(environment.now - began)

    def users() -> Iterator[Any]:
        while True:
            yield environment.timeout(rng.expovariate(INGRESS_RPS))
            environment.process(user())

    environment.process(users())
    environment.run(until=seconds)
    return fmean(latencies), seconds


def with_ciw(seconds: float, seed: int) -> tuple[float, float]:
    """Run the same network in Ciw: a request visits one node after the other."""
    names = list(NETWORK)
    rng = random.Random(seed)

    def visits(name: str) -> list[int]:
        path = [names.index(name) + 1]
        for callee, often in NETWORK[name][2].items():
            if rng.random() < often:
                path += visits(callee)
        return path

    network = ciw.create_network(
        arrival_distributions=[
            ciw.dists.Exponential(INGRESS_RPS) if name == "front" else None for name in names
        ],
        service_distributions=[ciw.dists.Exponential(1.0 / NETWORK[n][0]) for n in names],
        number_of_servers=[NETWORK[n][1] for n in names],
        routing=ciw.routing.ProcessBased(lambda *_: visits("front")[1:]),
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(seconds)
    spans: dict[int, list[float]] = {}
    for record in simulation.get_all_records():
        span = spans.setdefault(record.id_number, [record.arrival_date, record.exit_date])
        span[0] = min(span[0], record.arrival_date)
        span[1] = max(span[1], record.exit_date)
    return fmean(end - begin for begin, end in spans.values()), seconds


Runner = Callable[[float, int], tuple[float, float]]
PEERS: dict[str, tuple[Runner, float]] = {
    "this model": (this_model, 60.0),
    "tests' reference": (reference, 120.0),
    "SimPy": (with_simpy, 120.0),
    "Ciw": (with_ciw, 60.0),
}


def compare(runs: int = 4) -> dict[str, dict[str, float]]:
    """Measure simulated seconds per CPU second, and CPU seconds for the error of this model."""
    exact = exact_latency_s()
    found: dict[str, dict[str, float]] = {}
    for name, (runner, seconds) in PEERS.items():
        errors, cpu_s, simulated = [], 0.0, 0.0
        for seed in range(runs):
            began = time.process_time()
            mean, span = runner(seconds, seed + 1)
            cpu_s += time.process_time() - began
            simulated += span
            errors.append(mean / exact - 1.0)
        found[name] = {
            "simulated_s_per_cpu_s": simulated / cpu_s,
            "error": float(np.sqrt(fmean(e * e for e in errors))),
            "cpu_s": cpu_s / runs,
        }
    target = found["this model"]["error"]
    for figures in found.values():  # an error by chance shrinks with the root of the time
        figures["cpu_s_at_its_error"] = figures["cpu_s"] * (figures["error"] / target) ** 2
    return found


def main() -> None:
    """Print all figures."""
    sizes = [
        (100, 1, None), (1000, 1, None), (3000, 1, None), (10_000, 1, 2.5), (50, 200, 1.5),
    ]  # fmt: skip
    report: dict[str, Any] = {"sub_step": [], "network": {}}
    print("sub-step, three edges per service    ms   limit  ns per service and edge   passes")
    for services, copies, limit in sizes:
        topology = plain_topology(services)
        ms = sub_step_ms(topology, copies)
        each = 1e6 * ms / (copies * (services + topology.graph().edges))
        passes = 1e3 * ms / pass_us()
        bound = "–" if limit is None else f"{limit:.1f}"
        verdict = "" if limit is None else (" met" if ms <= limit else " NOT met")
        size = f"{services:>6} services x {copies:<4} copies"
        print(f"{size} {ms:14.2f} {bound:>7} {each:24.0f} {passes:8.0f}{verdict}")
        figures = {"services": services, "copies": copies, "ms": ms, "passes": passes}
        report["sub_step"].append(figures)
    print("(a pass: one multiplication of 10,000 numbers, measured beside it)")
    memory = peak_mb(10_000)
    report["peak_mb_10000"] = memory
    verdict = "met" if memory <= MOST_MB else "NOT met"
    print(f"peak memory, 10,000 services: {memory:.0f} MB, limit {MOST_MB} {verdict}")
    print("\nopen network of 4 services     simulated s per CPU s   error   CPU time at our error")
    network = compare()
    ours = network["this model"]
    for name, figures in network.items():
        ratio = figures["simulated_s_per_cpu_s"] / ours["simulated_s_per_cpu_s"]
        needed = figures["cpu_s_at_its_error"] / ours["cpu_s_at_its_error"]
        print(
            f"{name:<28} {figures['simulated_s_per_cpu_s']:>12.0f} ({ratio:5.3f}) "
            f"{100 * figures['error']:8.2f} %  {needed:10.2f} x"
        )
    report["network"] = network
    print(json.dumps(report), file=sys.stderr)


if __name__ == "__main__":
    main()
