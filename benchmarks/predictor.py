"""Speed of the predictor: against its limits, and against other ways to evaluate the same trees.

`make bench` runs it. Absolute times depend on the machine; the ratios were measured in one run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import treelite
import xgboost

from benchmarks.simulator import plain_topology
from ml.artefact import INCIDENT_MODEL, SHIPPED
from ml.features import FeatureExtractor, stirred
from ml.learning.booster import booster
from ml.predictor import Predictor
from simulator.faults import Fault, FaultKind
from simulator.simulation import Simulation

TICKS, MANY_TICKS, SKIPPED_TICKS = 90, 8, 2
LIMITS_MS = {100: 2.0, 10_000: 120.0}
LIMIT_ROW_US = 50.0
SIZES = (1, 100, 10_000)


class Tick(NamedTuple):
    """Median times for one frame, and the share of services that the trees were asked for."""

    features_ms: float
    prediction_ms: float
    asked: float


def tick(services: int, faults: int) -> Tick:
    """Measure features and prediction of one frame of so many services, while faults act."""
    topology = plain_topology(services)
    simulation = Simulation(topology, seed=1)
    for number in range(faults):
        target = topology.services[number * services // faults].name
        simulation.inject(Fault(target, FaultKind.NETWORK_LATENCY, 0.0, 600.0, intensity=0.5))
    extractor, predictor = FeatureExtractor(simulation.graph), Predictor()
    ticks = TICKS if services <= 1000 else MANY_TICKS
    spent: list[tuple[float, float, float]] = []
    for number in range(SKIPPED_TICKS + ticks):
        frame = simulation.next_frame()
        began = time.perf_counter()
        features = extractor.update(frame)[0]
        between = time.perf_counter()
        predictor.probability(features)
        ended = time.perf_counter()
        if number >= SKIPPED_TICKS:
            asked = float(stirred(features).mean())
            spent.append((between - began, ended - between, asked))
    features_s, prediction_s, asked = (float(value) for value in np.median(spent, axis=0))
    return Tick(1e3 * features_s, 1e3 * prediction_s, asked)


def peers(known: xgboost.Booster) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Every way to get probabilities of rows, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(SHIPPED / INCIDENT_MODEL), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_outputs()[1].name
    wrapper = xgboost.XGBClassifier(n_jobs=1)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "model.json"
        known.save_model(path)
        wrapper.load_model(path)
        forest = treelite.frontend.load_xgboost_model(str(path))
    return {
        "ONNX Runtime": lambda rows: session.run([name], {"features": rows})[0][:, 1],
        "XGBoost inplace_predict": lambda rows: known.inplace_predict(rows),
        "XGBoost's scikit-learn wrapper": lambda rows: wrapper.predict_proba(rows)[:, 1],
        "treelite (GTIL)": lambda rows: treelite.gtil.predict(forest, rows, nthread=1).ravel(),
    }


def median_us(call: Callable[[], object], at_least_s: float = 0.6) -> float:
    """Median time of a call, warm."""
    call()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < at_least_s or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


def imports_of_serving() -> list[str]:
    """Which of the training libraries the server's process has loaded."""
    code = (
        "import sys, server.app, ml.predictor; "
        "print(*(m for m in ('xgboost', 'pandas', 'sklearn', 'matplotlib') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def main() -> None:
    """Print all figures."""
    print("features and prediction of one tick, ms         features  prediction    both   limit")
    for services, limit in LIMITS_MS.items():
        for faults in (0, services // 100):
            cost = tick(services, faults)
            both = cost.features_ms + cost.prediction_ms
            verdict = "met" if both <= limit else "NOT met"
            name = f"{services:>6} services, {faults:>3} faults ({cost.asked:4.0%} moved)"
            figures = f"{cost.features_ms:12.2f} {cost.prediction_ms:11.2f} {both:7.2f}"
            print(f"{name:<44}{figures} {limit:7.0f} {verdict}")
    known = booster(SHIPPED)
    known.set_param({"nthread": 1})
    rng = np.random.default_rng(1)
    width = len(Predictor().manifest.features)
    rows = rng.normal(size=(max(SIZES), width)).astype(np.float32) * 20.0
    rows[rng.random(rows.shape) < 0.1] = np.nan
    ways = peers(known)
    expected = ways["XGBoost inplace_predict"](rows)
    trees = known.num_boosted_rounds()
    print(f"\n{trees} trees, one thread; us per call, and over ONNX Runtime's")
    print(f"{'':<32}" + "".join(f"{size:>12,} rows " for size in SIZES) + "   differs by")
    base: dict[int, float] = {}
    for name, way in ways.items():
        cells = []
        for size in SIZES:
            part = np.ascontiguousarray(rows[:size])
            spent = median_us(lambda way=way, part=part: way(part))
            base.setdefault(size, spent)
            cells.append(f"{spent:10.0f} {spent / base[size]:4.1f}x ")
        print(f"{name:<32}" + " ".join(cells) + f"   {np.abs(way(rows) - expected).max():.1e}")
    verdict = "met" if base[1] <= LIMIT_ROW_US else "NOT met"
    print(f"one row in ONNX Runtime: {base[1]:.0f} us (limit {LIMIT_ROW_US:.0f}: {verdict})")
    loaded = imports_of_serving()
    print(f"training libraries in the serving process: {', '.join(loaded) or 'none'}")


if __name__ == "__main__":
    main()
