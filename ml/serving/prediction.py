"""The rule that turns what a model says into a prediction: for one service, or for many.

An incident that goes on is a fact; of rows without activity the model says no more than the base
rate; it is asked about the rest.
"""

from __future__ import annotations

import math
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


def known(model: Predictor, active: NDArray[np.bool_], ongoing: NDArray[np.bool_]) -> FloatArray:
    """Give the probability of an incident of N services as far as no tree has to be asked, (N,).

    Parameters
    ----------
    active, ongoing
        (N,) where something has changed lately, and where an incident goes on.

    Returns
    -------
    FloatArray
        NaN where the trees are to be asked.
    """
    asked_or_quiet = np.where(active, np.nan, model.manifest.calibration.quiet)
    return np.where(ongoing, 1.0, asked_or_quiet)


def predict(model: Predictor, rows: NDArray[np.float32], known: FloatArray) -> Prediction:
    """Predict for services, with the inputs of the trees, (N, M), and what is known, (N,)."""
    asked = np.isnan(known)
    probability = known.copy()
    if asked.any():
        probability[asked] = model.probability_of_rows(rows[asked])
    at_risk = probability >= MEDIUM_FROM
    types = np.full((len(rows), len(model.manifest.types)), np.nan)
    types[at_risk] = model.types_of_rows(rows[at_risk])
    return Prediction(probability, types)


def predict_one(
    model: Predictor, row: NDArray[np.float32], known: float
) -> tuple[float, FloatArray | None]:
    """Predict as `predict` does for one service, (M,); a sixth less of a call of `Predict`.

    Gives the probability of an incident and, at risk, that of each type, (K,).
    """
    probability = model.probability_of_row(row) if math.isnan(known) else known
    types = model.types_of_rows(row[None])[0] if probability >= MEDIUM_FROM else None
    return probability, types
