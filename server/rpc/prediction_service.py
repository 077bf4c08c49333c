"""`PredictionService`: what the model expects."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from server.engine import Engine
from server.rpc import convert
from server.rpc.errors import translated
from sre_edge.v1 import prediction_service_pb2 as pb

Context = grpc.aio.ServicerContext[Any, Any]


class PredictionServicer:
    """Answers from the latest snapshot of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @translated
    async def Predict(self, request: pb.PredictRequest, context: Context) -> pb.PredictResponse:
        """Predict for one service, several, or all, and for the system."""
        wanted = self._engine.indices(request.services)
        return await asyncio.to_thread(self._answer, wanted, request.include_features)

    def _answer(self, wanted: convert.Indices, include_features: bool) -> pb.PredictResponse:
        taken, forecast = self._engine.forecast()
        chosen = range(taken.run.graph.services) if wanted is None else wanted
        return pb.PredictResponse(
            predictions=[
                convert.prediction(taken, forecast, i, include_features=include_features)
                for i in chosen
            ],
            system=convert.system_prediction(taken, forecast),
            cursor=convert.cursor(taken),
            time=convert.timestamp(taken.end_time),
        )
