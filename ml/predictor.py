"""From features to predictions, by ONNX Runtime alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ml.artefact import (
    CASCADE,
    INCIDENT_MODEL,
    SHIPPED,
    TREES,
    TYPE_MODEL,
    ArtefactError,
    Calibration,
    Manifest,
    read_manifest,
)
from ml.cascade import Spread
from ml.explanation import Explainer
from ml.features import NAMES
from simulator.graph import FloatArray

LEAST, MOST = 1e-6, 1.0 - 1e-6
FEW = 4


class Predictor:
    """A loaded model; safe to use from several threads."""

    def __init__(self, directory: Path = SHIPPED) -> None:
        """Load a model directory.

        Raises
        ------
        ArtefactError
            If it cannot be used.
        """
        self.manifest: Manifest = read_usable(directory)
        self._columns = np.array([NAMES.index(name) for name in self.manifest.features])
        self.spread = Spread.load(directory / CASCADE)
        self._directory = directory
        self._explainer: Explainer | None = None
        width = len(self._columns)
        self._incident = _session(directory / INCIDENT_MODEL, width, 2)
        self._type = _session(directory / TYPE_MODEL, width, len(self.manifest.types))

    def probability(self, features: FloatArray | NDArray[np.float32]) -> FloatArray:
        """Calibrated probability of an incident within the horizon, (N, F) -> (N,).

        The features are in the order of `ml.features.NAMES`; NaN is missing.

        Raises
        ------
        ValueError
            If there are not as many features, or a value is infinite: the model would take it
            without a word.
        """
        return self.probability_of_rows(self.rows(features))

    def probability_of_rows(self, rows: NDArray[np.float32]) -> FloatArray:
        """Do the same for rows of `rows`, for who asks often about what has not changed."""
        if not len(rows):
            return np.empty(0)
        raw = _probabilities(self._incident, rows)[:, 1]
        return calibrated(raw.astype(np.float64), self.manifest.calibration)

    def types(self, features: FloatArray | NDArray[np.float32]) -> FloatArray:
        """Probability of each type, if there is an incident, (N, F) -> (N, K).

        Raises
        ------
        ValueError
            As `probability` does.
        """
        return self.types_of_rows(self.rows(features))

    def types_of_rows(self, rows: NDArray[np.float32]) -> FloatArray:
        """Do the same for rows of `rows`."""
        if not len(rows):
            return np.empty((0, len(self.manifest.types)))
        return _probabilities(self._type, rows).astype(np.float64)

    def contributions(self, features: FloatArray | NDArray[np.float32]) -> FloatArray:
        """Give what each input adds to the log-odds of each row, (N, F) -> (N, M).

        The inputs are `manifest.features`; exact Shapley values, before calibration.

        Raises
        ------
        ValueError
            As `probability` does.
        """
        rows = self.rows(features)
        if self._explainer is None:  # read when first asked for; twice at worst
            self._explainer = Explainer.load(self._directory / TREES, len(self._columns))
        return self._explainer.contributions(rows)

    def rows(self, features: FloatArray | NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the model's own inputs, (N, F) -> (N, M), checked.

        Raises
        ------
        ValueError
            As `probability` does.
        """
        if features.ndim != 2 or features.shape[1] != len(NAMES):
            raise ValueError(f"expected features (N, {len(NAMES)}), got shape {features.shape}")
        rows = features.take(self._columns, axis=1).astype(np.float32)
        if np.isinf(rows).any():
            raise ValueError("expected finite features or NaN")
        return rows


def read_usable(directory: Path) -> Manifest:
    """Read and check a model directory, and that this version computes its features.

    Raises
    ------
    ArtefactError
        If it cannot be used.
    """
    manifest = read_manifest(directory)
    unknown = [name for name in manifest.features if name not in NAMES]
    if unknown:
        raise ArtefactError(f"{directory}: expected known features, got {', '.join(unknown)}")
    return manifest


def calibrated(probability: FloatArray, calibration: Calibration) -> FloatArray:
    """Apply a beta calibration to raw probabilities, (N,) -> (N,)."""
    if len(probability) <= FEW:  # a dozen array operations cost more than all of a single row
        return np.array([_calibrated(p, calibration) for p in probability.tolist()])
    p = np.minimum(np.maximum(probability, LEAST), MOST)
    logit = calibration.a * np.log(p) - calibration.b * np.log1p(-p) + calibration.c
    result: FloatArray = 1.0 / (1.0 + np.exp(-np.minimum(np.maximum(logit, -30.0), 30.0)))
    return result


def _calibrated(probability: float, calibration: Calibration) -> float:
    p = min(max(probability, LEAST), MOST)
    logit = calibration.a * math.log(p) - calibration.b * math.log1p(-p) + calibration.c
    return 1.0 / (1.0 + math.exp(-min(max(logit, -30.0), 30.0)))


def _session(path: Path, inputs: int, classes: int) -> Any:
    """Load a converted classifier that takes (N, inputs) and gives (N, classes)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    shapes = (session.get_inputs()[0].shape[1], session.get_outputs()[1].shape[1])
    if shapes != (inputs, classes):
        raise ArtefactError(f"{path}: expected {inputs} inputs and {classes} classes, got {shapes}")
    return session


def _probabilities(session: Any, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, classes), the second output of a converted classifier."""
    (values,) = session.run([session.get_outputs()[1].name], {"features": rows})
    result: NDArray[np.float32] = values
    return result
