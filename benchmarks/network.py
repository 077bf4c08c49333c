"""An open network of four services: this model beside discrete-event simulations of it.

`python -m benchmarks.network` prints its figures.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import ciw
import numpy as np
import simpy

from benchmarks.figures import Figure, Part, compared, progress, spread
from benchmarks.report import show
from simulator.simulation import Simulation
from simulator.topology.file import parse_topology
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
RUNS, DRAWS = 12, 1000


class Run(NamedTuple):
    """CPU time and simulated time of one run, and its error of the mean latency."""

    cpu_s: float
    simulated_s: float
    error: float


def exact_latency_s(name: str = "front") -> float:
    """Mean time of a request, dependencies included: Jackson's theorem."""
    service_s, workers, calls = NETWORK[name]
    own = sojourn_s(service_s, workers, LOAD[name] * service_s / workers)
    return own + sum(often * exact_latency_s(callee) for callee, often in calls.items())


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
THIS = "this model"
RUNNERS: dict[str, tuple[Runner, float]] = {
    THIS: (this_model, 60.0),
    "tests' reference": (reference, 80.0),
    "SimPy": (with_simpy, 80.0),
    "Ciw": (with_ciw, 40.0),
}


def compare(runs: int, share: float = 1.0) -> dict[str, list[Run]]:
    """Run each so often, in turns, for a share of its time."""
    exact = exact_latency_s()
    found: dict[str, list[Run]] = {name: [] for name in RUNNERS}
    for seed in range(runs):
        for name, (runner, seconds) in RUNNERS.items():
            progress(f"network: {name}, run {seed + 1} of {runs}")
            began = time.process_time()
            mean, simulated = runner(share * seconds, seed + 1)
            spent = time.process_time() - began
            found[name].append(Run(spent, simulated, mean / exact - 1.0))
    return found


def error(runs: Sequence[Run]) -> float:
    """Root mean square of the errors."""
    return float(np.sqrt(fmean(run.error**2 for run in runs)))


def at_equal_error(ours: Sequence[Run], theirs: Sequence[Run]) -> tuple[float, float]:
    """CPU seconds of a run of ours, and of theirs to be as close to the truth.

    An error by chance shrinks with the root of the time.
    """
    needed = (error(theirs) / error(ours)) ** 2
    return fmean(run.cpu_s for run in ours), needed * fmean(run.cpu_s for run in theirs)


def beside(peer: str, ours: Sequence[Run], theirs: Sequence[Run]) -> list[Figure]:
    """Set our cost beside that of one peer: of simulated time, and of being right."""
    one, other = at_equal_error(ours, theirs)
    rng = np.random.default_rng(1)
    drawn = []  # few runs say little of an error: what others of their kind would have said
    for _ in range(DRAWS):
        picked = [[runs[i] for i in rng.integers(0, len(runs), len(runs))]
                  for runs in (ours, theirs)]  # fmt: skip
        spent, needed = at_equal_error(*picked)
        drawn.append(spent / needed)
    return [
        compared(
            "CPU time of a simulated second",
            [1e3 * run.cpu_s / run.simulated_s for run in ours],
            "ms",
            peer,
            [1e3 * run.cpu_s / run.simulated_s for run in theirs],
        ),
        Figure("CPU time at equal error", one, "s", peer, other, None, len(ours), spread(drawn)),
    ]


def measure(*, quick: bool = False) -> Part:
    """Compare with all peers."""
    found = compare(2, 0.1) if quick else compare(RUNS)
    figures = [
        figure
        for name in RUNNERS
        if name != THIS
        for figure in beside(name, found[THIS], found[name])
    ]
    errors = ", ".join(f"{name} {100 * error(runs):.2g} %" for name, runs in found.items())
    note = f"Errors of the mean latency, beside the exact one of the open network: {errors}."
    return Part("An open network of four services", figures, notes=[note])


if __name__ == "__main__":
    show(measure())
