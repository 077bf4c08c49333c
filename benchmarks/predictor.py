"""Speed of the predictor: against its limits, and against other ways to evaluate the same trees.

`python -m benchmarks.predictor` prints its figures.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from telemetry.faults import Fault, FaultKind

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import tl2cgen
import treelite
import xgboost
from scipy.special import expit

from benchmarks.figures import Curve, Figure, Part, compared, limited, progress
from benchmarks.report import show
from benchmarks.simulator import plain_topology
from ml.features import FeatureExtractor
from ml.learning.booster import booster
from ml.serving.artefact import INCIDENT_MODEL, SHIPPED
from ml.serving.predictor import Predictor
from simulator.simulation import Simulation

TICKS, MANY_TICKS, SKIPPED_TICKS = 90, 12, 2
SERVICES = (100, 300, 1000, 3000, 10_000)
LIMITS_MS = {100: 2.0, 10_000: 120.0}
LIMIT_ROW_US = 50.0
SIZES, TURNS, TURN_S = (1, 100, 10_000), 9, 0.1
OURS = "ONNX Runtime"

Way = Callable[[np.ndarray], np.ndarray]


def ticks_ms(services: int, faults: int, ticks: int) -> list[float]:
    """Time for features and prediction of each frame.

    Faults act on as many of the services.
    """
    topology = plain_topology(services)
    simulation = Simulation(topology, seed=1)
    for number in range(faults):
        target = topology.services[number * services // faults].name
        simulation.inject(Fault(target, FaultKind.NETWORK_LATENCY, 0.0, 600.0, intensity=0.5))
    extractor, predictor = FeatureExtractor(simulation.graph), Predictor()
    spent = []
    for number in range(SKIPPED_TICKS + ticks):
        frame = simulation.next_frame()
        began = time.perf_counter()
        features = extractor.update(frame)[0]
        predictor.probability(features)
        ended = time.perf_counter()
        if number >= SKIPPED_TICKS:
            spent.append(1e3 * (ended - began))
    return spent


def ways(known: xgboost.Booster, directory: Path) -> tuple[dict[str, Way], list[str]]:
    """Every way to get probabilities of rows, on one thread; and what is not to be had here."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(SHIPPED / INCIDENT_MODEL), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_outputs()[0].name
    wrapper = xgboost.XGBClassifier(n_jobs=1)
    path = directory / "model.json"
    known.save_model(path)
    wrapper.load_model(path)
    forest = treelite.frontend.load_xgboost_model(str(path))
    found: dict[str, Way] = {
        OURS: lambda rows: expit(session.run([name], {"features": rows})[0][:, 0]),
        "XGBoost inplace_predict": known.inplace_predict,
        "XGBoost's scikit-learn wrapper": lambda rows: wrapper.predict_proba(rows)[:, 1],
        "treelite (GTIL)": lambda rows: treelite.gtil.predict(forest, rows, nthread=1).ravel(),
    }
    if shutil.which("gcc") is None:
        return found, ["treelite compiled by TL2cgen was not measured: there is no gcc."]
    progress("predictor: TL2cgen compiles the trees")
    library = directory / "model.so"
    tl2cgen.export_lib(forest, toolchain="gcc", libpath=library, params={"parallel_comp": 8})
    compiled = tl2cgen.Predictor(library, nthread=1)
    found["treelite, compiled by TL2cgen"] = lambda rows: compiled.predict(
        tl2cgen.DMatrix(rows)
    ).ravel()
    return found, []


def in_turns(found: dict[str, Way], rows: np.ndarray, turns: int) -> dict[str, list[float]]:
    """Median time of a call in each turn, us; turns are as long for all, the first is left out."""
    spent: dict[str, list[float]] = {name: [] for name in found}
    for turn in range(turns + 1):
        for name, way in found.items():
            times, began = [], time.perf_counter()
            while time.perf_counter() - began < TURN_S or len(times) < 2:
                start = time.perf_counter()
                way(rows)
                times.append(time.perf_counter() - start)
            if turn:
                spent[name].append(1e6 * float(np.median(times)))
    return spent


def peers(turns: int, sizes: Sequence[int]) -> tuple[list[Figure], list[str]]:
    """Set one inference beside every other way to have it."""
    known = booster(SHIPPED)
    known.set_param({"nthread": 1})
    rng = np.random.default_rng(1)
    width = len(Predictor().manifest.features)
    rows = rng.normal(size=(max(sizes), width)).astype(np.float32) * 20.0
    rows[rng.random(rows.shape) < 0.1] = np.nan
    figures: list[Figure] = []
    with TemporaryDirectory() as name:
        found, notes = ways(known, Path(name))
        for size in sizes:
            progress(f"predictor: {size:,} rows, every way")
            part = np.ascontiguousarray(rows[:size])
            spent = in_turns(found, part, turns)
            title = f"inference of {size:,} row{'s' if size > 1 else ''}"
            if size == 1:
                figures.append(limited(title, spent[OURS], "us", LIMIT_ROW_US))
            figures += [
                compared(title, spent[OURS], "us", name, times)
                for name, times in spent.items()
                if name != OURS
            ]
        answers = [way(rows) for way in found.values()]
    differ = max(float(np.abs(answer - answers[0]).max()) for answer in answers)
    trees = known.num_boosted_rounds()
    said = f"{trees} trees, one thread; all ways agree within {differ:.0e} on {max(sizes):,} rows."
    return figures, [*notes, said]


def imports_of_serving() -> list[str]:
    """Which of the training libraries the server's process has loaded."""
    code = (
        "import sys, server.app, ml.serving.predictor; "
        "print(*(m for m in ('xgboost', 'pandas', 'sklearn', 'matplotlib') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def measure(*, quick: bool = False) -> Part:
    """Measure ticks of systems, and inference by every way."""
    figures, points = [], []
    for services in SERVICES[:2] if quick else SERVICES:
        for faults in (0, services // 100):
            name = f"features and prediction, {services:,} services, {faults} faults"
            progress(f"predictor: {name}")
            ticks = 3 if quick else TICKS if services <= 1000 else MANY_TICKS
            spent = ticks_ms(services, faults, ticks)
            if limit := LIMITS_MS.get(services):
                figures.append(limited(name, spent, "ms", limit))
        points.append((float(services), float(np.median(spent))))
    beside, notes = peers(2, SIZES[:2]) if quick else peers(TURNS, SIZES)
    loaded = ", ".join(imports_of_serving()) or "none"
    notes.append(f"Training libraries that the serving process has loaded: {loaded}.")
    curve = Curve("features and prediction of a tick", "ms", "services", tuple(points))
    return Part("Predictor", [*figures, *beside], [curve], notes)


if __name__ == "__main__":
    show(measure())
