"""The stage that predicts: from frames to features, from features to predictions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ml.definitions.incidents import BoolArray
from ml.features import FeatureExtractor, active_rows
from ml.serving.prediction import known, predict
from ml.serving.predictor import Predictor
from server.pipeline.snapshot import Forecast
from server.pipeline.state import ServiceStates
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph

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

    def observe(self, frame: Frame, time: datetime, bad: BoolArray) -> FloatArray:
        """Compute the features, (S, F), of a frame that begins at a time.

        `bad`, (1, S), says which services are breached.

        Raises
        ------
        ValueError
            If the frame does not fit the graph, or a value is infinite; nothing is changed then.
        """
        features: FloatArray = self._extractor.update(frame, [time], bad)[0]
        return features

    def predict(self, features: FloatArray, states: ServiceStates) -> Forecast | None:
        """Predict from the latest features; return None until there is a baseline.

        The model looks ahead; an incident that is already open is a fact, with probability 1.
        """
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
        extractor = FeatureExtractor(graph, 1, self._interval_s)
        for frame, time in past:
            extractor.update(frame, [time])
        self._graph, self._extractor = graph, extractor
