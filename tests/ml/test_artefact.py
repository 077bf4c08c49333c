"""A model directory is checked when it is loaded, and rows when they are asked about."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.features import NAMES
from ml.serving.artefact import SHIPPED, ArtefactError, Calibration, read_manifest, write_manifest
from ml.serving.predictor import Predictor


def test_a_changed_or_missing_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(SHIPPED, broken)
    (broken / "incident.onnx").write_bytes(b"something else")
    with pytest.raises(ArtefactError, match="differs from what was trained"):
        Predictor(broken)
    (broken / "manifest.json").write_text("{}")
    with pytest.raises(ArtefactError, match="expected a manifest"):
        Predictor(broken)
    with pytest.raises(ArtefactError, match="expected a model"):
        Predictor(tmp_path / "nowhere")


def changed(directory: Path, **stated: Any) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **stated}))


@pytest.mark.parametrize("file", ["incident.onnx", "trees.json", "metrics.json", "features.md"])
def test_a_truncated_file_is_refused(tmp_path: Path, file: str) -> None:
    shutil.copytree(SHIPPED, tmp_path / "model")
    path = tmp_path / "model" / file
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ArtefactError, match=f"{file}: differs from what was trained"):
        Predictor(tmp_path / "model")


def test_a_model_of_other_features_or_another_format_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(SHIPPED, broken)
    stated = json.loads((broken / "manifest.json").read_text())
    changed(broken, features=[*stated["features"][:-1], "phase_of_the_moon"])
    with pytest.raises(ArtefactError, match="known features, got phase_of_the_moon"):
        Predictor(broken)
    changed(broken, features=stated["features"][:-1])
    with pytest.raises(ArtefactError, match="inputs"):
        Predictor(broken)
    changed(broken, features=stated["features"], format=99)
    with pytest.raises(ArtefactError, match=r"expected a model of format \d, got 99"):
        Predictor(broken)
    changed(broken, format=stated["format"], checksums={})
    with pytest.raises(ArtefactError, match=r"expected checksums of incident.onnx"):
        Predictor(broken)


def rewritten(directory: Path) -> None:
    """Let the checksums of a model directory be right again, whatever its files hold."""
    known = read_manifest(SHIPPED)
    write_manifest(directory, known.features, known.types, known.calibration, known.threshold)


def test_what_predicts_or_warns_otherwise_has_another_version(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "model")
    known = read_manifest(SHIPPED)

    def version(calibration: Calibration, threshold: float) -> str:
        written = write_manifest(
            tmp_path / "model", known.features, known.types, calibration, threshold
        )
        return written.version

    same = version(known.calibration, known.threshold)
    assert version(known.calibration, known.threshold) == same
    others = {
        version(known.calibration, known.threshold / 2),
        version(replace(known.calibration, c=known.calibration.c + 0.1), known.threshold),
    }
    (tmp_path / "model" / "metrics.json").unlink()
    assert version(known.calibration, known.threshold) == same  # reports change nothing
    assert len({same, *others}) == 3


def test_features_or_types_in_another_order_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(SHIPPED, broken)
    known = read_manifest(SHIPPED)
    first, second, *others = known.features
    changed(broken, features=[second, first, *others])
    with pytest.raises(ArtefactError, match="expected the features of the manifest, in their"):
        Predictor(broken)
    changed(broken, features=known.features, types=known.types[::-1])
    with pytest.raises(ArtefactError, match="expected the incident types cpu_saturation, "):
        Predictor(broken)
    changed(broken, types=known.types)
    assert Predictor(broken).manifest == known


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("incident.onnx", b"no model", "incident.onnx: expected converted trees"),
        ("type.onnx", b"", "type.onnx: expected converted trees"),
        ("cascade.json", b'{"weights": {}}', "cascade.json: expected the spread of failures"),
    ],
)
def test_files_of_another_version_are_refused_even_if_they_are_whole(
    tmp_path: Path, file: str, content: bytes, expected: str
) -> None:
    broken = tmp_path / "model"
    shutil.copytree(SHIPPED, broken)
    (broken / file).write_bytes(content)
    rewritten(broken)
    with pytest.raises(ArtefactError, match=expected):
        Predictor(broken)


def test_reasons_stay_those_of_the_model_that_was_loaded(tmp_path: Path) -> None:
    place = tmp_path / "model"
    shutil.copytree(SHIPPED, place)
    predictor = Predictor(place)
    (place / "trees.json").write_text('{"base": 0.0, "trees": []}')
    rows = np.zeros((1, len(NAMES)))
    expected = Predictor(SHIPPED).contributions(rows)
    assert expected.any()
    np.testing.assert_array_equal(predictor.contributions(rows), expected)


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="expected features"):
        Predictor().probability(np.zeros((2, 7)))
    with pytest.raises(ValueError, match="expected features"):
        Predictor().contributions(np.zeros(len(NAMES)))


def test_infinity_is_refused_and_missing_values_are_not() -> None:
    predictor = Predictor()
    rows = np.full((2, len(NAMES)), np.nan)
    assert np.isfinite(predictor.probability(rows)).all()
    rows[0, NAMES.index("cpu_percent")] = np.inf
    with pytest.raises(ValueError, match="finite"):
        predictor.probability(rows)
    assert len(predictor.probability(np.empty((0, len(NAMES))))) == 0
