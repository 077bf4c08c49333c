"""From features to predictions, by ONNX Runtime alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ml.artefact import (
    INCIDENT_MODEL,
    SHIPPED,
    TYPE_MODEL,
    ArtefactError,
    Calibration,
    Manifest,
    read_manifest,
)
from ml.features import NAMES
from simulator.graph import FloatArray

LEAST, MOST = 1e-6, 1.0 - 1e-6


@dataclass(frozen=True, eq=False)
class Scores:
    """What the model says of N services.

    Attributes
    ----------
    probability
        (N,) calibrated probability of an incident within the horizon.
    types
        (N, K) probability of each incident type, if there is one.
    """

    probability: FloatArray
    types: FloatArray


class Predictor:
    """A loaded model; safe to use from several threads."""

    def __init__(self, directory: Path = SHIPPED) -> None:
        """Load a model directory.

        Raises
        ------
        ArtefactError
            If it cannot be used.
        """
        self.manifest: Manifest = read_manifest(directory)
        unknown = [name for name in self.manifest.features if name not in NAMES]
        if unknown:
            raise ArtefactError(f"{directory}: expected known features, got {', '.join(unknown)}")
        self._columns = np.array([NAMES.index(name) for name in self.manifest.features])
        self._incident = _session(directory / INCIDENT_MODEL)
        self._type = _session(directory / TYPE_MODEL)

    def score(self, features: FloatArray | NDArray[np.float32]) -> Scores:
        """Score rows of features (N, F), in the order of `ml.features.NAMES`; NaN is missing.

        Raises
        ------
        ValueError
            If a value is infinite: the model would take it without a word.
        """
        rows = np.ascontiguousarray(features[:, self._columns], dtype=np.float32)
        if np.isinf(rows).any():
            raise ValueError("expected finite features or NaN")
        if not len(rows):
            return Scores(np.empty(0), np.empty((0, len(self.manifest.types))))
        raw = _probabilities(self._incident, rows)[:, 1]
        types = _probabilities(self._type, rows)
        return Scores(
            calibrated(raw.astype(np.float64), self.manifest.calibration), types.astype(np.float64)
        )


def calibrated(probability: FloatArray, calibration: Calibration) -> FloatArray:
    """Apply a beta calibration to raw probabilities."""
    p = np.clip(probability, LEAST, MOST)
    logit = calibration.a * np.log(p) - calibration.b * np.log1p(-p) + calibration.c
    result: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0)))
    return result


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )


def _probabilities(session: Any, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, classes), the second output of a converted classifier."""
    (values,) = session.run([session.get_outputs()[1].name], {"features": rows})
    result: NDArray[np.float32] = values
    return result
