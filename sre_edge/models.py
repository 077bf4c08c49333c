"""The client's calls about models and trainings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from sre_edge.v1 import (
    model_pb2,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
    training_pb2,
)

ACTIVATION_TIMEOUT_S = 60.0
Answer = TypeVar("Answer")


class _Caller(Protocol):
    _prediction: prediction_service_pb2_grpc.PredictionServiceStub

    def _call(
        self, method: Callable[..., Answer], request: Any, timeout_s: float | None = None
    ) -> Answer: ...

    def training(self, number: int | None = None) -> training_pb2.Training: ...


class ModelCalls:
    """Part of `sre_edge.Client`."""

    def models(self: _Caller) -> list[model_pb2.Model]:
        """List all models, newest first."""
        found: list[model_pb2.Model] = []
        token = ""
        while True:
            request = prediction_service_pb2.ListModelsRequest(page_token=token)
            answer = self._call(self._prediction.ListModels, request)
            found.extend(answer.models)
            token = answer.next_page_token
            if not token:
                return found

    def model(self: _Caller, version: str = "") -> prediction_service_pb2.GetModelResponse:
        """Describe a model, by default the live one: card, metrics, and what plots need.

        Raises
        ------
        NotFound
            No model has this version; the message lists the known ones.
        """
        request = prediction_service_pb2.GetModelRequest(version=version)
        return self._call(self._prediction.GetModel, request)

    def activate_model(self: _Caller, version: str) -> prediction_service_pb2.ActivateModelResponse:
        """Make a model live; the answer names the one before, to roll back to.

        Raises
        ------
        NotFound
            No model has this version.
        NotNow
            The server cannot use it; the live one stays.
        """
        request = prediction_service_pb2.ActivateModelRequest(version=version)
        return self._call(self._prediction.ActivateModel, request, ACTIVATION_TIMEOUT_S)

    def train(
        self: _Caller,
        *,
        systems: int | None = None,
        episodes: int | None = None,
        held_out_systems: int | None = None,
        rounds: int | None = None,
    ) -> training_pb2.Training:
        """Begin a training; None is the server's default, as in `StartTrainingRequest`.

        Raises
        ------
        NotNow
            One runs already, there is too little to learn from, or training is not installed.
        """
        request = prediction_service_pb2.StartTrainingRequest(
            systems=systems, episodes=episodes, held_out_systems=held_out_systems, rounds=rounds
        )
        return self._call(self._prediction.StartTraining, request).training

    def training(self: _Caller, number: int | None = None) -> training_pb2.Training:
        """Ask how far a training is, by default the latest one.

        Raises
        ------
        NotFound
            There was none.
        """
        request = prediction_service_pb2.GetTrainingRequest(id=number or 0)
        return self._call(self._prediction.GetTraining, request).training

    def follow_training(
        self: _Caller, number: int | None = None, *, every_s: float = 1.0
    ) -> Iterator[training_pb2.Training]:
        """Follow a training until it has ended; yields it whenever it has changed."""
        last = None
        while True:
            training = self.training(number)
            if training != last:
                yield training
            if training.state != training_pb2.TRAINING_STATE_RUNNING:
                return
            number, last = training.id, training
            time.sleep(every_s)
