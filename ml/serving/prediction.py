"""The rule that turns what a model says into a prediction: for one service, or for many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.definitions.risk import MEDIUM_FROM
from ml.serving.predictor import Predictor
from telemetry.graph import FloatArray


class Prediction(NamedTuple):
    """What is expected of N services.

    Attributes
    ----------
    probability
        (N,) of an incident within the horizon; 1 while one goes on.
    types
        (N, K) probability of each incident type, if there is an incident; NaN below medium risk.
    """

    probability: FloatArray
    types: FloatArray


def predict(
    model: Predictor,
    rows: NDArray[np.float32],
    moved: NDArray[np.bool_],
    ongoing: NDArray[np.bool_],
) -> Prediction:
    """Predict for services: an incident that goes on is a fact, the model looks ahead.

    A service gets the same prediction, bit for bit, alone as among others.

    Parameters
    ----------
    rows
        (N, M) inputs of the trees, of `Predictor.rows`.
    moved
        (N,) where something has moved lately: the trees are asked for these alone.
    ongoing
        (N,) where an incident goes on.
    """
    probability = np.full(len(rows), model.manifest.calibration.quiet)
    if moved.any():
        probability[moved] = model.probability_of_rows(rows[moved])
    probability[ongoing] = 1.0
    types = np.full((len(rows), len(model.manifest.types)), np.nan)
    at_risk = probability >= MEDIUM_FROM
    if at_risk.any():
        types[at_risk] = model.types_of_rows(rows[at_risk])
    return Prediction(probability, types)
