"""Predictions, alarms, and the models that make them."""

from __future__ import annotations

from collections.abc import Iterable

from sre_edge.calls.descriptors import Call, Follow
from sre_edge.exchange import Exchange, Following, Pause, Update, ask
from sre_edge.v1 import alarm_pb2, model_pb2, prediction_service_pb2, training_pb2

ACTIVATION_TIMEOUT_S = 60.0


def predict(
    services: Iterable[str] = (), *, include_features: bool = False, explain: bool = False
) -> Exchange[prediction_service_pb2.PredictResponse]:
    """Predict for all services or some, and for the system; `explain`: with the reasons."""
    request = prediction_service_pb2.PredictRequest(
        services=services, include_features=include_features, explain=explain
    )
    return (yield from ask(lambda stubs: stubs.prediction.Predict, request))


def analysis(
    services: Iterable[str] = (),
) -> Exchange[prediction_service_pb2.GetAnalysisResponse]:
    """Analyse all services or some: health, critical paths, anomalies."""
    request = prediction_service_pb2.GetAnalysisRequest(services=services)
    return (yield from ask(lambda stubs: stubs.prediction.GetAnalysis, request))


def alarms(service: str = "", *, count: int = 50) -> Exchange[list[alarm_pb2.Alarm]]:
    """List the newest alarms, at most `count`, of all services or one."""
    request = prediction_service_pb2.ListAlarmsRequest(service=service, page_size=count)
    return list((yield from ask(lambda stubs: stubs.prediction.ListAlarms, request)).alarms)


def models() -> Exchange[list[model_pb2.Model]]:
    """List all models, newest first."""
    found: list[model_pb2.Model] = []
    token = ""
    while True:
        request = prediction_service_pb2.ListModelsRequest(page_token=token)
        answer = yield from ask(lambda stubs: stubs.prediction.ListModels, request)
        found.extend(answer.models)
        token = answer.next_page_token
        if not token:
            return found


def model(version: str = "") -> Exchange[prediction_service_pb2.GetModelResponse]:
    """Describe a model, by default the live one: card, metrics, and data of its plots.

    Raises
    ------
    NotFound
        If no model has this version; the message lists the known ones.
    """
    request = prediction_service_pb2.GetModelRequest(version=version)
    return (yield from ask(lambda stubs: stubs.prediction.GetModel, request))


def activate_model(version: str) -> Exchange[prediction_service_pb2.ActivateModelResponse]:
    """Make a model live; the answer names the one before, to roll back to.

    Raises
    ------
    NotFound
        If no model has this version.
    NotNow
        If the server cannot use it; the live one stays.
    """
    request = prediction_service_pb2.ActivateModelRequest(version=version)
    exchange = ask(lambda stubs: stubs.prediction.ActivateModel, request, ACTIVATION_TIMEOUT_S)
    return (yield from exchange)


def train(
    *,
    systems: int | None = None,
    episodes: int | None = None,
    held_out_systems: int | None = None,
    rounds: int | None = None,
) -> Exchange[training_pb2.Training]:
    """Start a training of the given size, as in `StartTrainingRequest`; None: the default.

    Raises
    ------
    NotNow
        If one is running, there is too little to learn from, or training is not installed.
    """
    request = prediction_service_pb2.StartTrainingRequest(
        systems=systems, episodes=episodes, held_out_systems=held_out_systems, rounds=rounds
    )
    return (yield from ask(lambda stubs: stubs.prediction.StartTraining, request)).training


def training(number: int | None = None) -> Exchange[training_pb2.Training]:
    """Get the progress or the result of a training, by default the latest one.

    Raises
    ------
    NotFound
        If there was none.
    """
    request = prediction_service_pb2.GetTrainingRequest(id=number or 0)
    return (yield from ask(lambda stubs: stubs.prediction.GetTraining, request)).training


def follow_training(
    number: int | None = None, *, every_s: float = 1.0
) -> Following[training_pb2.Training]:
    """Follow a training until it has ended; yields it whenever it has changed."""
    last = None
    while True:
        known = yield from training(number)
        if known != last:
            yield Update(known)
        if known.state != training_pb2.TRAINING_STATE_RUNNING:
            return
        number, last = known.id, known
        yield Pause(every_s)


class PredictionMethods:
    """The methods of both clients, each by its description above."""

    predict = Call(predict)
    analysis = Call(analysis)
    alarms = Call(alarms)
    models = Call(models)
    model = Call(model)
    activate_model = Call(activate_model)
    train = Call(train)
    training = Call(training)
    follow_training = Follow(follow_training)
