"""Turns frames into forecasts, tick by tick."""

from __future__ import annotations

from datetime import datetime

from ml.definitions.breach import breached
from ml.definitions.incidents import IncidentTracker
from ml.features import FeatureExtractor, stirred
from ml.serving.prediction import known, predict
from ml.serving.predictor import Predictor
from server.pipeline.snapshot import Forecast
from telemetry.frame import Frame
from telemetry.graph import ServiceGraph


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
        """Take one frame; None until there is a baseline."""
        features = self._extractor.update(frame, [time])[0]
        self._incidents.update(breached(frame, self._graph))
        if not self._extractor.ready:
            return None
        model, rows, moved = self._predictor, self._predictor.rows(features), stirred(features)
        ongoing = self._incidents.ongoing[0].copy()
        probability, types = predict(model, rows, known(model, moved, ongoing))
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
