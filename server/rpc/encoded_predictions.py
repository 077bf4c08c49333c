"""What `Predict` answers, as bytes: what is fixed of a snapshot is encoded once for all calls."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np

from ml.definitions.risk import MEDIUM_FROM, risk_level
from ml.serving.factors import Factor, top_factors
from ml.serving.prediction import predict
from server.errors import Violation, invalid
from server.pipeline.snapshot import Forecast, Snapshot
from server.rpc import convert, times
from server.rpc.columns import BYTES, DOUBLE, ENUM, tag, varint
from sre_edge.v1 import prediction_pb2
from sre_edge.v1 import prediction_service_pb2 as pb
from telemetry.graph import FloatArray

MOST_EXPLAINED = 64
MOST_AT_ONCE = 8
"""Services that the model is asked for one by one, which takes less time for so few."""

Expected = tuple[int, float, FloatArray | None]
"""A service, the probability of its incident and, at risk, that of each type."""

_PREDICTION = prediction_pb2.Prediction.DESCRIPTOR
_START = tag(pb.PredictResponse.DESCRIPTOR, "predictions", BYTES)
_PROBABILITY = tag(_PREDICTION, "incident_probability", DOUBLE)
_RISK = tag(_PREDICTION, "risk_level", ENUM)
_figures = struct.Struct("<BdBB").pack


class Predictions:
    """Asks the model about the services of one snapshot, and encodes its answers.

    A message is the bytes of its fields in any order. So what all answers say, and what is fixed
    of a service, are encoded when first needed; a call adds what the model says to it.
    """

    def __init__(self, taken: Snapshot, forecast: Forecast) -> None:
        self.taken, self._forecast = taken, forecast
        self._same = pb.PredictResponse(
            system=convert.system_prediction(taken, forecast),
            cursor=convert.cursor(taken),
            time=times.timestamp(taken.end_time),
        ).SerializeToString()
        self._begun: dict[tuple[int, int], bytes] = {}
        self._moved, self._ongoing = bytes(forecast.moved), bytes(forecast.ongoing)

    def answer(self, request: pb.PredictRequest) -> bytes:
        """Answer a request, with the bytes of a `PredictResponse`.

        Raises
        ------
        ServerError
            UNKNOWN_SERVICE, or INVALID_FIELD for too many services to explain.
        """
        taken = self.taken
        chosen = taken.indices(request.services) or range(taken.graph.services)
        reasons = self._reasons(chosen) if request.explain else {}
        parts, with_features = [self._same], request.include_features
        for service, probability, types in self.expected(chosen):
            more = b""
            if types is not None or reasons or with_features:
                more = self._more(service, types, reasons.get(service, ()), with_features)
            parts.append(self._encoded(service, probability, more))
        return b"".join(parts)

    def expected(self, services: Sequence[int]) -> Iterable[Expected]:
        """Ask the model for some services."""
        if len(services) <= MOST_AT_ONCE:
            return map(self._one, services)
        forecast, chosen = self._forecast, np.array(services)
        probability, types = predict(
            forecast.predictor,
            forecast.rows[chosen],
            forecast.moved[chosen],
            forecast.ongoing[chosen],
        )
        at_risk = probability >= MEDIUM_FROM
        known = (row if risky else None for risky, row in zip(at_risk, types, strict=True))
        return zip(services, probability.tolist(), known, strict=True)

    def _one(self, service: int) -> Expected:
        model, row = self._forecast.predictor, self._forecast.rows[service]
        if self._ongoing[service]:
            probability = 1.0
        elif self._moved[service]:
            probability = model.probability_of_row(row)
        else:
            probability = model.manifest.calibration.quiet
        if probability < MEDIUM_FROM:
            return service, probability, None
        return service, probability, model.types_of_rows(row[None])[0]

    def _encoded(self, service: int, probability: float, more: bytes) -> bytes:
        """Encode what is expected of a service, as a value of `predictions`."""
        risk = convert.RISK[risk_level(probability)]
        rest = _figures(_PROBABILITY, probability, _RISK, risk) + more
        begun = self._begun.get((service, len(rest))) or self._begin(service, len(rest))
        return begun + rest

    def _begin(self, service: int, rest: int) -> bytes:
        """Encode what is fixed of a service, before so many bytes of what the model says to it."""
        forecast = self._forecast
        fixed = prediction_pb2.Prediction(
            service=self.taken.graph.names[service],
            cascade_risk=forecast.cascade_risk[service],
            horizon=times.duration(forecast.horizon_s),
            model_version=forecast.model_version,
        ).SerializeToString()
        begun = b"%c%b%b" % (_START, varint(len(fixed) + rest), fixed)
        self._begun[service, rest] = begun
        return begun

    def _more(
        self,
        service: int,
        types: FloatArray | None,
        factors: Sequence[Factor],
        with_features: bool,
    ) -> bytes:
        """Encode what is said of a service at risk, or was asked for."""
        message = prediction_pb2.Prediction(top_factors=map(convert.factor, factors))
        if types is not None:
            convert.add_type(message, types)
            convert.add_advice(message, self.taken, service, types, factors)
        if with_features:
            convert.add_features(message, self._forecast.features[service])
        return message.SerializeToString()

    def _reasons(self, services: Sequence[int]) -> dict[int, list[Factor]]:
        """Find the strongest reasons for the prediction of each service."""
        if len(services) > MOST_EXPLAINED:
            expected = f"expected at most {MOST_EXPLAINED} services at a time, got {len(services)}"
            raise invalid([Violation("explain", f"{expected}: name them in `services`")])
        taken, features = self.taken, self._forecast.features
        model = self._forecast.predictor
        names, graph = model.manifest.features, taken.graph
        contributions = model.contributions(features[list(services)])
        return {
            service: top_factors(graph, taken.frame, features, service, names, row)
            for service, row in zip(services, contributions, strict=True)
        }
