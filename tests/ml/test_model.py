"""Training, export and the shipped model."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxmltools
import pytest
import xgboost

from ml.definitions.incident_types import INCIDENT_TYPES
from ml.evaluation.baselines import baselines
from ml.evaluation.cascade_events import SpreadRows
from ml.features import LEARNED, NAMES, FeatureExtractor
from ml.serving import artefact
from ml.serving.artefact import SHIPPED, read_manifest
from ml.serving.cascade import EDGE_INPUTS
from ml.serving.predictor import Predictor, Trees, calibrated
from ml.training import train as training
from ml.training.compute import Cluster, Local
from ml.training.export import ExportError, check_options, export, without_base
from ml.training.fitting import TooFewIncidentsError, fit_spread
from simulator.dynamics.load import Load
from simulator.simulation import Simulation
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind

TINY = replace(
    training.Config(),
    topologies=5, validation_topologies=1, test_topologies=1, episodes=4, rounds=8,
    held_out_episodes=6, candidates=({}, {"class_weight": 3.0}),
)  # fmt: skip


def booster(seed: int = 0, classes: int = 0) -> tuple[xgboost.Booster, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(400, 5)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    label = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1]) > 0
    options: dict[str, Any] = {"objective": "binary:logistic", "max_depth": 4, "seed": seed}
    if classes:
        options |= {"objective": "multi:softprob", "num_class": classes}
    return xgboost.train(options, xgboost.DMatrix(rows, label.astype(float)), 20), rows


@pytest.mark.parametrize("classes", [0, 3])
def test_onnx_answers_as_xgboost_does(tmp_path: Path, classes: int) -> None:
    model, rows = booster(classes=classes)
    difference = export(model, tuple("abcde"), rows, tmp_path / "model.onnx")
    assert difference < 1e-6
    assert (tmp_path / "model.onnx").exists()


def test_a_model_of_two_classes_answers_with_log_odds(tmp_path: Path) -> None:
    model, rows = booster()
    export(model, tuple("abcde"), rows, tmp_path / "model.onnx")
    trees = Trees(tmp_path / "model.onnx", tuple("abcde"), 1)
    margins = model.predict(xgboost.DMatrix(rows), output_margin=True)
    np.testing.assert_allclose(trees(rows)[:, 0], margins, atol=1e-5)
    one_by_one = [trees.first_of_row(row) for row in rows]
    # ONNX Runtime reads and writes the memory of one row in place; a copy would answer as before.
    assert len(set(one_by_one)) > len(rows) / 2
    np.testing.assert_array_equal(np.float32(one_by_one), trees(rows)[:, 0])
    with ThreadPoolExecutor(4) as pool:  # they share that memory
        assert list(pool.map(trees.first_of_row, rows)) == one_by_one


@pytest.mark.parametrize("classes", [0, 3])
def test_a_booster_without_its_base_score_answers_the_same(classes: int) -> None:
    model, rows = booster(classes=classes)
    bare = without_base(model)
    learner = json.loads(bytes(bare.save_raw("json")))["learner"]
    stated = str(learner["learner_model_param"]["base_score"]).strip("[]").split(",")
    assert {float(score) for score in stated} == ({0.0} if classes else {0.5})
    np.testing.assert_allclose(
        bare.inplace_predict(rows), model.inplace_predict(rows), rtol=0.0, atol=1e-6
    )


def test_a_model_that_onnx_does_not_reproduce_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = booster(seed=0)
    other, _ = booster(seed=1)
    convert = onnxmltools.convert_xgboost
    monkeypatch.setattr(
        onnxmltools, "convert_xgboost", lambda _, **options: convert(other, **options)
    )
    with pytest.raises(ExportError, match="ONNX differs"):
        export(model, tuple("abcde"), rows, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"objective": "binary:logistic", "num_parallel_tree": 4},
        {"objective": "multi:softmax", "num_class": 3},
        {"objective": "binary:logistic", "booster": "dart"},
    ],
)
def test_options_that_convert_wrongly_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ExportError):
        check_options(options)


@dataclass(frozen=True)
class Trained:
    """What a training has made."""

    model: Path
    metrics: dict[str, Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train once, for all tests that look at what came of it."""
    model = tmp_path_factory.mktemp("trained") / "model"
    return Trained(model, training.train(TINY, model, Local(2)))


def test_training_makes_a_complete_model(trained: Trained) -> None:
    model, metrics = trained.model, trained.metrics
    files = {path.name for path in model.iterdir()}
    assert files == {
        "manifest.json", "config.json", "metrics.json", "card.md", "incident.onnx", "type.onnx",
        "logistic_regression.json", "trees.json", "cascade.json",
        "features.md",
    }  # fmt: skip
    assert max(metrics["onnx_parity"].values()) <= 1e-6
    assert json.loads((model / "config.json").read_text())["seed"] == TINY.seed
    assert set(metrics["overall"]["baselines"]) == set(baselines(model))
    predictor, rows = Predictor(model), np.zeros((3, len(NAMES)))
    assert predictor.probability(rows).shape == (3,)
    np.testing.assert_allclose(predictor.types(rows).sum(axis=1), 1.0, rtol=1e-5)


def test_where_nothing_has_moved_the_base_rate_is_all_there_is_to_say() -> None:
    predictor = Predictor(SHIPPED)
    rows = np.full((3, len(NAMES)), np.nan)
    rows[:, NAMES.index("since_jump_s")] = 600.0
    rows[1, NAMES.index("since_jump_s")] = 4.0
    probability = predictor.probability(rows)
    assert probability[0] == probability[2] == predictor.manifest.calibration.quiet
    assert probability[1] != predictor.manifest.calibration.quiet
    contributions = predictor.contributions(rows)
    assert not contributions[[0, 2]].any()
    assert contributions[1].any()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(trained: Trained, tmp_path: Path) -> None:
    training.train(TINY, tmp_path / "alone", Local(1))
    for file in ("manifest.json", "metrics.json", "logistic_regression.json"):
        assert (tmp_path / "alone" / file).read_bytes() == (trained.model / file).read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Dask and the libraries below it
def test_training_runs_on_a_dask_cluster(trained: Trained, tmp_path: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        compute = Cluster(cluster.scheduler_address)
        metrics = training.train(TINY, tmp_path / "dask", compute)
        compute.close()
    assert metrics["learned_rows"] == trained.metrics["learned_rows"]
    probability = [
        Predictor(model).probability(np.zeros((1, len(NAMES))))[0]
        for model in (tmp_path / "dask", trained.model)
    ]
    assert probability[0] == pytest.approx(probability[1], abs=0.02)


def test_a_place_that_cannot_be_written_is_said_before_anything_is_simulated(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "ml", "train", "--output", str(tmp_path / "file" / "model")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == f"--output {tmp_path / 'file' / 'model'}: Not a directory\n"


def test_a_cluster_that_is_not_there_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ml", "train", "--dask", "nonsense://x", "--quick"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "expected a scheduler at nonsense://x" in done.stderr


def test_too_few_incidents_to_learn_from_are_said() -> None:
    nobody = SpreadRows(np.zeros((3, len(EDGE_INPUTS))), np.zeros(3, dtype=np.bool_))
    with pytest.raises(TooFewIncidentsError, match="of 3 failing callees 0 broke their callers"):
        fit_spread([nobody])


@pytest.mark.slow
def test_evaluate_reports_the_model_beside_its_baselines(tmp_path: Path) -> None:
    topology, scenarios = tmp_path / "shop.yaml", tmp_path / "scenarios.yaml"
    topology.write_text(
        "services: [{name: web, kind: gateway, dependencies: [db]}, {name: db, kind: database}]"
    )
    scenarios.write_text(
        "- {name: kill, seconds: 900, faults: [{target: db, kind: service_kill, start_s: 400,"
        " duration_s: 200, ramp_s: 60}]}\n- {name: quiet, seconds: 900}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ml", "evaluate", "--topology", str(topology),
         "--scenarios", str(scenarios), "--no-oracle", "--json", "-"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["protocol"] == 1
    assert report["episodes"] == 2
    assert report["overall"]["model"]["incidents"] >= 2
    assert report["overall"]["model"]["event_recall"] > 0.5
    assert set(report["overall"]["baselines"]) >= {"static_threshold", "logistic_regression"}
    assert report["overall"]["oracle"] is None
    assert report["by_fault"]["service_kill"]["incidents"] >= 2
    assert set(report["overall"]["model"]["ci"]) >= {"foreseeable_recall", "event_precision"}
    assert report["system"]["incidents"] >= 1


def test_the_shipped_model_is_what_its_config_and_code_say() -> None:
    manifest = read_manifest(SHIPPED)
    assert manifest.features == LEARNED
    assert manifest.types == tuple(INCIDENT_TYPES)
    config = json.loads((SHIPPED / "config.json").read_text())
    assert config == json.loads(json.dumps(training.asdict(training.Config())))
    metrics = json.loads((SHIPPED / "metrics.json").read_text())
    assert max(metrics["onnx_parity"].values()) <= 1e-6
    for section in ("What it does", "What it learned from", "How good it is", "Limits"):
        assert f"## {section}" in (SHIPPED / "card.md").read_text()


def test_calibration_keeps_the_order_of_probabilities() -> None:
    raw = np.linspace(0.0, 1.0, 101)
    for calibration in (
        read_manifest(SHIPPED).calibration,
        artefact.Calibration(1.0, 1.0, 0.0, 0.01),
    ):
        assert (np.diff(calibrated(raw, calibration)) >= 0).all()
    identity = calibrated(raw[1:-1], artefact.Calibration(1.0, 1.0, 0.0, 0.01))
    np.testing.assert_allclose(identity, raw[1:-1], rtol=1e-6)


def probabilities(fault: Fault | None, frames: int, seed: int = 5) -> tuple[np.ndarray, int]:
    """Probability per frame and service, and the first frame that is breached anywhere."""
    from ml.definitions.breach import breached

    simulation = Simulation(shipped("default"), seed=seed, loads=[Load(diurnal=True, hour=15)])
    extractor, predictor = FeatureExtractor(simulation.graph), Predictor()
    if fault:
        simulation.inject(fault)
    found, first = [], frames
    for k in range(frames):
        frame = simulation.next_frame()
        found.append(predictor.probability(extractor.update(frame)[0]))
        if breached(frame, simulation.graph).any():
            first = min(first, k)
    return np.array(found), first


def test_a_healthy_system_is_at_low_risk() -> None:
    found, first = probabilities(None, 300)
    assert first == 300
    assert found[60:].max() < 0.3


def test_a_ramped_kill_is_foreseen_before_anything_is_breached() -> None:
    fault = Fault("database", FaultKind.SERVICE_KILL, 200, 200, 1.0, 120)
    found, first = probabilities(fault, 200)
    assert found[60:100].max() < 0.3
    assert found[100 : first - 2].max() > 3 * found[60:100].max()


def test_confidence_is_how_often_the_type_is_right() -> None:
    """On the systems that the shipped model was scored on, none of which it learned from."""
    metrics = json.loads((SHIPPED / "metrics.json").read_text())
    found = metrics["incident_type"]
    assert np.sum(found["confusion"]) > 100
    assert found["mean_confidence"] == pytest.approx(found["accuracy"], abs=0.05)
    assert found["confidence_ece"] < 0.1
