"""What `Predict` answers."""

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
"""Services that one call explains."""
MAX_ONE_BY_ONE = 8
"""Services that the model is asked about one by one, which takes less time for so few."""

Expected = tuple[int, float, FloatArray | None]
"""A service, the probability of its incident and, at risk, that of each type."""


class Predictions:
    """Asks the model about the services of one snapshot.

    What all answers say, and what is fixed of a service, is made when first needed, and copied: a
    call adds what the model says to it.
    """

    def __init__(self, taken: Snapshot, forecast: Forecast) -> None:
        self.taken, self._forecast = taken, forecast
        self._same = pb.PredictResponse(
            system=convert.system_prediction(taken, forecast),
            cursor=convert.cursor(taken),
            time=times.timestamp(taken.end_time),
        )
        self._begun: dict[int, prediction_pb2.Prediction] = {}
        self._known = known(forecast.predictor, forecast.moved, forecast.ongoing)

    def answer(self, request: pb.PredictRequest) -> pb.PredictResponse:
        """Answer a request.

        Raises
        ------
        ServerError
            UNKNOWN_SERVICE, or INVALID_FIELD for too many services to explain.
        """
        taken, forecast = self.taken, self._forecast
        chosen = taken.indices(request.services) or range(taken.graph.services)
        reasons = self._reasons(chosen) if request.explain else {}
        response = pb.PredictResponse()
        response.CopyFrom(self._same)
        for service, probability, types in self.expected(chosen):
            factors = reasons.get(service, ())
            message = response.predictions.add()
            message.CopyFrom(self._begun.get(service) or self._begin(service))
            message.incident_probability = probability
            message.risk_level = convert.RISK[risk_level(probability)]
            if factors:
                message.top_factors.extend(map(convert.factor, factors))
            if types is not None:
                convert.add_type(message, types)
                convert.add_advice(message, advice(taken, service, types, factors))
            if request.include_features:
                convert.add_features(message, forecast.features[service])
        return response

    def expected(self, services: Sequence[int]) -> Iterable[Expected]:
        """Ask the model about some services."""
        model, rows, known = self._forecast.predictor, self._forecast.rows, self._known
        if len(services) <= MAX_ONE_BY_ONE:
            return [
                (service, *predict_one(model, rows[service], known.item(service)))
                for service in services
            ]
        chosen = np.array(services)
        found = predict(model, rows[chosen], known[chosen])
        at_risk = found.probability >= MEDIUM_FROM
        types = (row if risky else None for risky, row in zip(at_risk, found.types, strict=True))
        return zip(services, found.probability.tolist(), types, strict=True)

    def _begin(self, service: int) -> prediction_pb2.Prediction:
        """Say what is fixed of a service in this snapshot."""
        begun = prediction_pb2.Prediction(
            service=self.taken.graph.names[service],
            cascade_risk=self._forecast.cascade_risk[service],
            horizon=self._same.system.horizon,
            model_version=self._forecast.model_version,
        )
        self._begun[service] = begun
        return begun

    def _reasons(self, services: Sequence[int]) -> dict[int, list[Factor]]:
        """Find the strongest reasons for the prediction of each service."""
        if len(services) > MAX_EXPLAINED:
            expected = f"expected at most {MAX_EXPLAINED} services at a time, got {len(services)}"
            raise invalid([Violation("explain", f"{expected}: name them in `services`")])
        taken, features = self.taken, self._forecast.features
        model = self._forecast.predictor
        names, graph = model.manifest.features, taken.graph
        contributions = model.contributions(features[list(services)])
        return {
            service: top_factors(graph, taken.frame, features, service, names, row)
            for service, row in zip(services, contributions, strict=True)
        }
