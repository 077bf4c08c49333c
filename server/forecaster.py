"""Turns frames into forecasts, tick by tick."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from ml.breach import breached
from ml.features import FeatureExtractor, stirred
from ml.incidents import IncidentTracker
from ml.predictor import Predictor
from ml.risk import MEDIUM_FROM
from server.snapshot import Forecast
from simulator.frame import Frame
from simulator.graph import ServiceGraph


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
        moved = stirred(features)
        expected = self._predictor.probability(features, moved)
        probability = np.where(self._incidents.ongoing[0], 1.0, expected)
        at_risk = probability >= MEDIUM_FROM
        types = np.full((len(probability), len(self._predictor.manifest.types)), np.nan)
        types[at_risk] = self._predictor.types(features[at_risk])
        entries = probability[self._graph.entry]
        return Forecast(
            probability=probability,
            ongoing=self._incidents.ongoing[0].copy(),
            system_probability=float(entries.max(initial=0.0)),
            types=types,
            cascade_risk=self._predictor.spread.risk(self._graph, features),
            features=features,
            moved=moved,
            predictor=self._predictor,
        )
