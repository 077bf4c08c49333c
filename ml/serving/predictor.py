"""From features to predictions, by ONNX Runtime alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ml.definitions.incident_types import INCIDENT_TYPES
from ml.features import NAMES, active_rows
from ml.serving.artefact import (
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
from ml.serving.cascade import Spread
from ml.serving.explanation import Explainer
from telemetry.graph import FloatArray

Features = FloatArray | NDArray[np.float32]
MIN_PROBABILITY, MAX_PROBABILITY = 1e-6, 1.0 - 1e-6


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
        self._trees = (directory / TREES).read_bytes()  # another model may take its place later
        self._explainer: Explainer | None = None
        features = self.manifest.features
        self._incident = Trees(directory / INCIDENT_MODEL, features, 1)  # log-odds
        self._type = Trees(directory / TYPE_MODEL, features, len(self.manifest.types))

    def probability(self, features: Features) -> FloatArray:
        """Calibrated probability of an incident within the horizon, (N, F) -> (N,).

        The features are in the order of `ml.features.NAMES`; NaN is missing. Of rows
        without activity the trees have nothing to say, and it is the base rate of such rows.

        Raises
        ------
        ValueError
            If there are not as many features, or a value is infinite: the model would take it
            without a word.
        """
        _check(features)

        def raw(rows: Features) -> FloatArray:
            return self._raw(self._rows(rows))

        return where_active(features, raw, self.manifest.calibration)

    def rows(self, features: Features) -> NDArray[np.float32]:
        """Give the trees' own inputs, (N, F) -> (N, M), for who asks often about the same.

        Raises
        ------
        ValueError
            As `probability` does.
        """
        _check(features)
        return self._rows(features)

    def probability_of_rows(self, rows: NDArray[np.float32]) -> FloatArray:
        """Ask the trees for some of `rows`, active ones, (N, M) -> (N,)."""
        return calibrated(self._raw(rows), self.manifest.calibration)

    def probability_of_row(self, row: NDArray[np.float32]) -> float:
        """Answer as `probability_of_rows` does for one, (M,), without its dozen array operations.

        They take a sixth of a call of `Predict`, whose caches are cold.
        """
        calibration = self.manifest.calibration
        p = 1.0 / (1.0 + math.exp(-self._incident.first_of_row(row)))
        p = min(max(p, MIN_PROBABILITY), MAX_PROBABILITY)
        logit = calibration.a * math.log(p) - calibration.b * math.log1p(-p) + calibration.c
        return 1.0 / (1.0 + math.exp(-min(max(logit, -30.0), 30.0)))

    def types_of_rows(self, rows: NDArray[np.float32]) -> FloatArray:
        """Give the probability of each type for some of `rows`, (N, M) -> (N, K)."""
        if not len(rows):
            return np.empty((0, len(self.manifest.types)))
        return self._type(rows).astype(np.float64)

    def types(self, features: Features) -> FloatArray:
        """Probability of each type, if there is an incident, (N, F) -> (N, K).

        Raises
        ------
        ValueError
            As `probability` does.
        """
        return self.types_of_rows(self.rows(features))

    def contributions(self, features: Features) -> FloatArray:
        """Give what each input adds to the log-odds of each row, (N, F) -> (N, M).

        The inputs are `manifest.features`; exact Shapley values, before calibration. In
        rows without activity nothing adds anything.

        Raises
        ------
        ValueError
            As `probability` does.
        """
        _check(features)
        contributions = np.zeros((len(features), len(self._columns)))
        active = np.flatnonzero(active_rows(features))
        if self._explainer is None:  # made when first asked for; twice at worst
            self._explainer = Explainer(json.loads(self._trees), len(self._columns))
        if len(active):
            contributions[active] = self._explainer.contributions(self._rows(features[active]))
        return contributions

    def _raw(self, rows: NDArray[np.float32]) -> FloatArray:
        """Give the probabilities as the trees have them, before calibration, (N, M) -> (N,)."""
        return 1.0 / (1.0 + np.exp(-self._incident(rows)[:, 0].astype(np.float64)))

    def _rows(self, features: Features) -> NDArray[np.float32]:
        return features.take(self._columns, axis=1).astype(np.float32)


def _check(features: Features) -> None:
    if features.ndim != 2 or features.shape[1] != len(NAMES):
        raise ValueError(f"expected features (N, {len(NAMES)}), got shape {features.shape}")
    if np.isinf(features).any():
        raise ValueError("expected finite features or NaN")


def read_usable(directory: Path) -> Manifest:
    """Read and check a model directory: this version computes its features and knows its types.

    Raises
    ------
    ArtefactError
        If it cannot be used.
    """
    manifest = read_manifest(directory)
    unknown = [name for name in manifest.features if name not in NAMES]
    if unknown:
        raise ArtefactError(directory, f"expected known features, got {', '.join(unknown)}")
    if manifest.types != tuple(INCIDENT_TYPES):
        raise ArtefactError(
            directory,
            f"expected the incident types {', '.join(INCIDENT_TYPES)}, got "
            f"{', '.join(manifest.types)}",
        )
    return manifest


def where_active(
    features: Features,
    raw: Callable[[Features], Features],
    calibration: Calibration,
) -> FloatArray:
    """Probabilities of rows, (..., F) -> (...): calibrated raw ones where they are active.

    `raw` is asked for those rows alone, (N, F) -> (N,).
    """
    active = active_rows(features)
    probability = np.full(active.shape, calibration.quiet)
    if active.any():
        probability[active] = calibrated(raw(features[active]), calibration)
    return probability


def calibrated(probability: Features, calibration: Calibration) -> FloatArray:
    """Apply a beta calibration to raw probabilities, (N,) -> (N,)."""
    p = np.clip(probability.astype(np.float64), MIN_PROBABILITY, MAX_PROBABILITY)
    logit = calibration.a * np.log(p) - calibration.b * np.log1p(-p) + calibration.c
    result: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0)))
    return result


class Trees:
    """Converted trees, (N, M) features -> (N, K): log-odds, or the probabilities of K classes.

    Raises
    ------
    ArtefactError
        If the file does not hold trees with these inputs and so many outputs.
    """

    def __init__(self, path: Path, features: tuple[str, ...], outputs: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
            (taken,), (*_, given) = session.get_inputs(), session.get_outputs()
            shapes = (taken.shape[1], given.shape[1])
        except Exception as error:  # ONNX Runtime has a class of its own for each kind of failure
            said = str(error).replace(str(path), path.name)
            raise ArtefactError(path, f"expected converted trees: {said}") from error
        inputs = len(features)
        if shapes != (inputs, outputs):
            raise ArtefactError(
                path, f"expected {inputs} inputs and {outputs} outputs, got {shapes}"
            )
        if session.get_modelmeta().custom_metadata_map.get("features", "") != ",".join(features):
            raise ArtefactError(path, "expected the features of the manifest, in their order")
        self._session, self._taken, self._given = session, taken.name, [given.name]
        self._row = np.empty((1, inputs), np.float32)
        self._answer = np.empty((1, outputs), np.float32)
        self._binding = session.io_binding()
        self._binding.bind_cpu_input(taken.name, self._row)
        kept = onnxruntime.OrtValue.ortvalue_from_numpy(self._answer)
        self._binding.bind_ortvalue_output(given.name, kept)
        self._one_at_a_time = Lock()

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Ask the trees."""
        (answers,) = self._session.run(self._given, {self._taken: rows})
        result: NDArray[np.float32] = answers
        return result

    def first_of_row(self, row: NDArray[np.float32]) -> float:
        """Give the first output for one row, (M,): through memory that is always the same."""
        with self._one_at_a_time:
            self._row[0] = row
            self._session.run_with_iobinding(self._binding)
            return self._answer.item(0)
