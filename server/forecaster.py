"""Turns frames into forecasts, tick by tick."""

from __future__ import annotations

from datetime import datetime

from ml.cascade import cascade_risk
from ml.features import FeatureExtractor
from ml.predictor import Predictor
from server.snapshot import Forecast
from simulator.frame import Frame
from simulator.graph import ServiceGraph


class Forecaster:
    """Follows one run with one model."""

    def __init__(self, graph: ServiceGraph, predictor: Predictor, interval_s: float) -> None:
        self._graph = graph
        self._predictor = predictor
        self._extractor = FeatureExtractor(graph, 1, interval_s)
        self._cascade_risk = cascade_risk(graph)

    def update(self, frame: Frame, time: datetime) -> Forecast | None:
        """Take one frame; None until there is a baseline."""
        features = self._extractor.update(frame, [time])[0]
        if not self._extractor.ready:
            return None
        scores = self._predictor.score(features)
        entries = scores.probability[self._graph.entry]
        return Forecast(
            probability=scores.probability,
            system_probability=float(entries.max(initial=0.0)),
            types=scores.types,
            cascade_risk=self._cascade_risk,
            features=features,
            horizon_s=self._predictor.manifest.horizon_s,
            model_version=self._predictor.manifest.version,
        )
