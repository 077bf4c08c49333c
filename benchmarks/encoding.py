"""A snapshot as a plain message and as columns of bytes: from which size on columns take less time.

`python -m benchmarks.encoding` prints its figures; `server.rpc.snapshot_encoder.MAX_PLAIN` follows
from them.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.figures import Curve, Figure, Part, compared, progress
from benchmarks.report import show
from ml.serving.predictor import Predictor
from server.pipeline.snapshot import Snapshot
from server.rpc.snapshot_encoder import MAX_PLAIN, SnapshotEncoder
from server.sources.simulation import SimulationFactory
from server.systems.system import System
from simulator.topology.generator import random_topology

SERVICES = (8, 16, 32, 64, 128, 256)
ROUNDS, ROUND_S = 15, 0.05
PLAIN, COLUMNS = SnapshotEncoder(max_plain=1_000_000), SnapshotEncoder(max_plain=0)


def in_turns(taken: Snapshot, rounds: int) -> tuple[list[float], list[float]]:
    """Time of an encoding, us: median of each round, plain and as columns in turns."""
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for encoder, found in zip((PLAIN, COLUMNS), spent, strict=True):
            times, began = [], time.perf_counter()
            while time.perf_counter() - began < ROUND_S:
                start = time.perf_counter()
                encoder.encode(taken, None)
                times.append(time.perf_counter() - start)
            if turn:
                found.append(1e6 * float(np.median(times)))
    return spent


def crossing(rows: list[int], ratios: list[float]) -> float | None:
    """Services and edges at which both take the same, between the sizes around it."""
    for i in range(1, len(rows)):
        if ratios[i - 1] < 1.0 <= ratios[i]:
            low, high = np.log(ratios[i - 1]), np.log(ratios[i])
            return float(rows[i - 1] * (rows[i] / rows[i - 1]) ** (-low / (high - low)))
    return None


def measure(*, quick: bool = False) -> Part:
    """Encode snapshots of several sizes both ways."""
    figures: list[Figure] = []
    rows, ratios, points, others = [], [], [], []
    predictor = Predictor()
    for services in SERVICES[:2] if quick else SERVICES:
        progress(f"encoding: {services} services")
        taken = System(SimulationFactory(random_topology(services, 1), 1), predictor).latest
        plain, columns = in_turns(taken, 2 if quick else ROUNDS)
        size = services + taken.graph.edges
        name = f"plain, {services} services and {taken.graph.edges} edges"
        figures.append(compared(name, plain, "us", "columns of bytes", columns))
        rows.append(size)
        ratios.append(float(np.median(plain) / np.median(columns)))
        points.append((float(size), float(np.median(plain))))
        others.append((float(size), float(np.median(columns))))
    found = crossing(rows, ratios)
    said = "not among these sizes" if found is None else f"at about {found:.0f}"
    notes = [
        f"Both take the same {said} services and edges; the server changes over at {MAX_PLAIN}."
    ]
    curves = [
        Curve("encoding of a plain snapshot", "us", "services and edges", tuple(points)),
        Curve("encoding of a snapshot as columns", "us", "services and edges", tuple(others)),
    ]
    return Part("Encoding of snapshots", figures, curves, notes)


if __name__ == "__main__":
    show(measure())
