"""The stage that predicts: from frames to features, from features to predictions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ml.features import FeatureExtractor, active_rows
from ml.serving.prediction import known, predict
from ml.serving.predictor import Predictor
from server.pipeline.snapshot import Forecast
from server.pipeline.state import ServiceStates
from telemetry.frame import Frame
from telemetry.graph import ServiceGraph

Past = Iterable[tuple[Frame, datetime]]
"""Frames with their start times, oldest first."""


class ForecastStage:
    """Predicts for one run with a model, which may be replaced."""

    def __init__(self, graph: ServiceGraph, predictor: Predictor, interval_s: float) -> None:
        self._graph, self._interval_s = graph, interval_s
        self._predictor = predictor
        self._extractor = FeatureExtractor(graph, 1, interval_s)

    def use(self, predictor: Predictor) -> None:
        """Replace the model; the baseline is kept."""
        self._predictor = predictor

    def update(self, frame: Frame, time: datetime, states: ServiceStates) -> Forecast | None:
        """Process a frame that begins at a time; return None until there is a baseline.

        The model looks ahead; an incident that is already open is a fact, with probability 1.
        """
        features = self._extractor.update(frame, [time], states.breached[None])[0]
        if not self._extractor.ready:
            return None
        model = self._predictor
        rows, active = model.rows(features), active_rows(features)
        expected = predict(model, rows, known(model, active, states.ongoing))
        entries = expected.probability[self._graph.entry]
        return Forecast(
            probability=expected.probability,
            ongoing=states.ongoing,
            system_probability=float(entries.max(initial=0.0)),
            types=expected.types,
            cascade_risk=model.spread.risk(self._graph, features),
            features=features,
            rows=rows,
            active=active,
            predictor=model,
        )

    def change_graph(self, graph: ServiceGraph, past: Past) -> None:
        """Change the graph; the baseline is learned again from the past, converted to it."""
        self._graph = graph
        self._extractor = FeatureExtractor(graph, 1, self._interval_s)
        for frame, time in past:
            self._extractor.update(frame, [time])
