"""Turns frames into forecasts, tick by tick."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ml.definitions.breach import breached
from ml.definitions.incidents import IncidentTracker
from ml.definitions.risk import MEDIUM_FROM
from ml.features import FeatureExtractor, active_rows
from ml.serving.predictor import Predictor
from server.snapshot import Forecast
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph


class Forecaster:
    """Follows one run with one model."""

    def __init__(self, graph: ServiceGraph, predictor: Predictor, interval_s: float) -> None:
        self._graph = graph
        self._predictor = predictor
        self._extractor = FeatureExtractor(graph, 1, interval_s)
        self._incidents = IncidentTracker(1, graph.services)

    def use(self, predictor: Predictor) -> None:
        """Go on with another model; what is normal stays known."""
        self._predictor = predictor

    def update(self, frame: Frame, time: datetime) -> Forecast | None:
        """Take one frame; None until there is a baseline.

        The model looks ahead; that an incident goes on is a fact, with probability 1.
        """
        features = self._extractor.update(frame, [time])[0]
        self._incidents.update(breached(frame, self._graph))
        if not self._extractor.ready:
            return None
        model, rows, moved = self._predictor, self._predictor.rows(features), active_rows(features)
        ongoing = self._incidents.ongoing[0].copy()
        probability, types = expected(model, rows, moved, ongoing)
        entries = probability[self._graph.entry]
        return Forecast(
            probability=probability,
            ongoing=ongoing,
            system_probability=float(entries.max(initial=0.0)),
            types=types,
            cascade_risk=model.spread.risk(self._graph, features),
            features=features,
            rows=rows,
            moved=moved,
            predictor=model,
        )


def expected(
    model: Predictor,
    rows: NDArray[np.float32],
    moved: NDArray[np.bool_],
    ongoing: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    """Ask a model for services, (S, M), (S,), (S,) -> (S,), (S, K).

    Gives the probability of an incident of each and, at risk, that of each type; else NaN.
    """
    probability = np.full(len(rows), model.manifest.calibration.quiet)
    if moved.any():
        probability[moved] = model.probability_of_rows(rows[moved])
    probability[ongoing] = 1.0
    at_risk = probability >= MEDIUM_FROM
    types = np.full((len(rows), len(model.manifest.types)), np.nan)
    types[at_risk] = model.types_of_rows(rows[at_risk])
    return probability, types
