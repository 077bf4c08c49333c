"""Speed of the predictor: against its limits, and against other ways to evaluate the same trees.

`make bench` runs it. Absolute times depend on the machine; the ratios were measured in one run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import treelite
import xgboost

from benchmarks.simulator import plain_topology
from ml.artefact import INCIDENT_MODEL, SHIPPED, TREES
from ml.features import FeatureExtractor
from ml.predictor import Predictor
from simulator.simulation import Simulation

TICKS, MANY_TICKS, SKIPPED_TICKS = 90, 8, 2
LIMITS_MS = {100: 2.0, 10_000: 120.0}
LIMIT_ROW_US = 50.0
SIZES = (1, 100, 10_000)


def tick_ms(services: int) -> tuple[float, float]:
    """Median time of features and of prediction for one frame of so many services."""
    simulation = Simulation(plain_topology(services), seed=1)
    extractor, predictor = FeatureExtractor(simulation.graph), Predictor()
    ticks = TICKS if services <= 1000 else MANY_TICKS
    spent: list[tuple[float, float]] = []
    for tick in range(SKIPPED_TICKS + ticks):
        frame = simulation.next_frame()
        began = time.perf_counter()
        features = extractor.update(frame)[0]
        between = time.perf_counter()
        predictor.probability(features)
        ended = time.perf_counter()
        if tick >= SKIPPED_TICKS:
            spent.append((between - began, ended - between))
    features_s, prediction_s = np.median(spent, axis=0)
    return 1e3 * float(features_s), 1e3 * float(prediction_s)


def booster_of(path: Path) -> xgboost.Booster:
    """Rebuild XGBoost's own model from the trees that are stored for explanations."""
    stated = json.loads(path.read_text(encoding="utf-8"))
    width = len(Predictor().manifest.features)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(64, width)).astype(np.float32)
    options = {"objective": "binary:logistic", "base_score": 0.5}
    seedling = xgboost.train(options, xgboost.DMatrix(rows, rows[:, 0] > 0), 1)
    document = json.loads(bytes(seedling.save_raw("json")))
    learner = document["learner"]
    model = learner["gradient_booster"]["model"]
    pattern = model["trees"][0]
    model["trees"] = [_tree(pattern, number, tree) for number, tree in enumerate(stated["trees"])]
    model["tree_info"] = [0] * len(model["trees"])
    model["iteration_indptr"] = list(range(len(model["trees"]) + 1))
    model["gbtree_model_param"]["num_trees"] = str(len(model["trees"]))
    base = 1.0 / (1.0 + np.exp(-stated["base"]))
    brackets = learner["learner_model_param"]["base_score"].startswith("[")
    learner["learner_model_param"]["base_score"] = f"[{base}]" if brackets else str(base)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document).encode()))
    return booster


def _tree(pattern: dict[str, Any], number: int, tree: dict[str, Any]) -> dict[str, Any]:
    nodes = len(tree["left"])
    parents = [2147483647] * nodes
    for node, (left, right) in enumerate(zip(tree["left"], tree["right"], strict=True)):
        for child in (left, right):
            if child >= 0:
                parents[child] = node
    return {
        **pattern,
        "id": number,
        "left_children": tree["left"],
        "right_children": tree["right"],
        "parents": parents,
        "split_indices": tree["feature"],
        "split_conditions": tree["limit"],
        "split_type": [0] * nodes,
        "default_left": tree["missing_left"],
        "sum_hessian": tree["cover"],
        "base_weights": [0.0] * nodes,
        "loss_changes": [0.0] * nodes,
        "tree_param": {**pattern["tree_param"], "num_nodes": str(nodes)},
    }


def peers(booster: xgboost.Booster) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
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
        booster.save_model(path)
        wrapper.load_model(path)
        forest = treelite.frontend.load_xgboost_model(str(path))
    return {
        "ONNX Runtime": lambda rows: session.run([name], {"features": rows})[0][:, 1],
        "XGBoost inplace_predict": lambda rows: booster.inplace_predict(rows),
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
    print("features and prediction of one tick, ms      features  prediction    both   limit")
    for services, limit in LIMITS_MS.items():
        features, prediction = tick_ms(services)
        both = features + prediction
        verdict = "met" if both <= limit else "NOT met"
        cells = f"{features:35.2f} {prediction:11.2f} {both:7.2f} {limit:7.0f}"
        print(f"{services:>6} services {cells} {verdict}")
    booster = booster_of(SHIPPED / TREES)
    rng = np.random.default_rng(1)
    width = len(Predictor().manifest.features)
    rows = rng.normal(size=(max(SIZES), width)).astype(np.float32) * 20.0
    rows[rng.random(rows.shape) < 0.1] = np.nan
    ways = peers(booster)
    expected = ways["XGBoost inplace_predict"](rows)
    trees = booster.num_boosted_rounds()
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
