"""The answers of `Predict`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ml.definitions.risk import MEDIUM_FROM, risk_level
from ml.serving.factors import Factor, top_factors
from ml.serving.prediction import known, predict, predict_one
from server.errors import Violation, invalid
from server.pipeline.advice import advice
from server.pipeline.snapshot import Forecast, Snapshot
from server.rpc import convert, times
from sre_edge.v1 import prediction_pb2
from sre_edge.v1 import prediction_service_pb2 as pb
from telemetry.graph import FloatArray

MAX_EXPLAINED = 64
"""Maximum number of services that one call explains."""
MAX_ONE_BY_ONE = 8
"""Maximum number of services that are predicted one by one; a batch is faster beyond."""

Expected = tuple[int, float, prediction_pb2.RiskLevel.ValueType, FloatArray | None]
"""A service, the probability of its incident, its risk and, at risk, that of each type."""


class Predictions:
    """Predictions for the services of one snapshot.

    The parts that all answers share, and the fixed parts of each service, are made when first
    needed and then copied: a call adds only what the model predicts.
    """

    def __init__(self, snapshot: Snapshot, forecast: Forecast) -> None:
        self.snapshot, self._forecast = snapshot, forecast
        self._shared_part = pb.PredictResponse(
            system=convert.system_prediction(snapshot, forecast),
            cursor=convert.cursor(snapshot),
            time=times.timestamp(snapshot.end_time),
        )
        self._fixed_parts: dict[int, prediction_pb2.Prediction] = {}
        self._for_all: pb.PredictResponse | None = None
        self._known = known(forecast.predictor, forecast.active, forecast.ongoing)

    def answer(self, request: pb.PredictRequest) -> pb.PredictResponse:
        """Answer a request.

        Raises
        ------
        ServerError
            UNKNOWN_SERVICE, or INVALID_FIELD for too many services to explain.
        """
        snapshot, forecast = self.snapshot, self._forecast
        chosen = snapshot.indices(request.services)
        services = chosen or range(snapshot.graph.services)
        reasons = self._reasons(services) if request.explain else {}
        response = self._without_inference(chosen)
        messages = response.predictions
        for message, (service, probability, risk, types) in zip(
            messages, self.expect(services), strict=True
        ):
            factors = reasons.get(service, ())
            message.incident_probability = probability
            message.risk_level = risk
            if factors:
                message.top_factors.extend(map(convert.factor, factors))
            if types is not None:
                convert.add_type(message, types)
                convert.add_advice(message, advice(snapshot, service, types, factors))
            if request.include_features:
                convert.add_features(message, forecast.features[service])
        return response

    def expect(self, services: Sequence[int]) -> Iterable[Expected]:
        """Predict for some services."""
        model, rows, known = self._forecast.predictor, self._forecast.rows, self._known
        if len(services) <= MAX_ONE_BY_ONE:
            return [self._expect_one(service) for service in services]
        chosen = np.array(services)
        expected = predict(model, rows[chosen], known[chosen])
        at_risk = expected.probability >= MEDIUM_FROM
        types = (row if risky else None for risky, row in zip(at_risk, expected.types, strict=True))
        risks = convert.risks(expected.probability).tolist()
        return zip(services, expected.probability.tolist(), risks, types, strict=True)

    def _expect_one(self, service: int) -> Expected:
        model, rows = self._forecast.predictor, self._forecast.rows
        probability, types = predict_one(model, rows[service], self._known.item(service))
        return service, probability, convert.RISK[risk_level(probability)], types

    def _without_inference(self, chosen: convert.Indices) -> pb.PredictResponse:
        """Make the part of an answer that no inference changes; that for all services is kept."""
        response = pb.PredictResponse()
        if chosen is None and self._for_all is not None:
            response.CopyFrom(self._for_all)
            return response
        response.CopyFrom(self._shared_part)
        services = range(self.snapshot.graph.services) if chosen is None else chosen
        for service in services:
            fixed = self._fixed_parts.get(service) or self._fixed_part(service)
            response.predictions.add().CopyFrom(fixed)
        if chosen is None:
            self._for_all = pb.PredictResponse()
            self._for_all.CopyFrom(response)
        return response

    def _fixed_part(self, service: int) -> prediction_pb2.Prediction:
        """Make the part of a prediction that no inference changes."""
        prediction = prediction_pb2.Prediction(
            service=self.snapshot.graph.names[service],
            cascade_risk=self._forecast.cascade_risk[service],
            horizon=self._shared_part.system.horizon,
            model_version=self._forecast.model_version,
        )
        self._fixed_parts[service] = prediction
        return prediction

    def _reasons(self, services: Sequence[int]) -> dict[int, list[Factor]]:
        """Find the strongest reasons for the prediction of each service."""
        if len(services) > MAX_EXPLAINED:
            expected = f"expected at most {MAX_EXPLAINED} services at a time, got {len(services)}"
            raise invalid([Violation("explain", f"{expected}: name them in `services`")])
        snapshot, features = self.snapshot, self._forecast.features
        model = self._forecast.predictor
        names, graph = model.manifest.features, snapshot.graph
        contributions = model.contributions(features[list(services)])
        return {
            service: top_factors(graph, snapshot.frame, features, service, names, row)
            for service, row in zip(services, contributions, strict=True)
        }
