"""Models and trainings, as messages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from ml.learning.job import COMPARED_SYSTEMS, HELD_OUT_EPISODES
from ml.serving.artefact import LEARNING
from server.errors import Violation, invalid
from server.learning.models import KnownModel
from server.learning.order import TrainingOrder
from server.rpc import times
from server.store.trainings import Training, TrainingState
from sre_edge.v1 import model_pb2, training_pb2
from sre_edge.v1 import prediction_service_pb2 as pb

PAGE, MAX_ON_PAGE = 50, 200
MOST = {"systems": 200, "episodes": 64, "held_out_systems": 50, "rounds": 1000}
MAX_HELD_OUT = 512
"""Episodes of all systems to compare on: they are all in memory at once, some 3 MB each."""

_STATE: Mapping[TrainingState, training_pb2.TrainingState.ValueType] = {
    state: training_pb2.TrainingState.Value(f"TRAINING_STATE_{state.name}")
    for state in TrainingState
}
_COMPARED_ON: Mapping[str, training_pb2.ComparedOn.ValueType] = {
    "all": training_pb2.COMPARED_ON_ALL,
    "simulated": training_pb2.COMPARED_ON_SIMULATED,
    "live": training_pb2.COMPARED_ON_LIVE,
}


def order(request: pb.StartTrainingRequest) -> TrainingOrder:
    """Convert a request for a training.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    stated = {field.name: value for field, value in request.ListFields()}
    wrong = [
        Violation(name, f"expected 1 to {MOST[name]}, got {value}")
        for name, value in stated.items()
        if not 1 <= value <= MOST[name]
    ]
    systems = stated.get("held_out_systems", COMPARED_SYSTEMS)
    held_out = systems * stated.get("episodes", HELD_OUT_EPISODES)
    if not wrong and held_out > MAX_HELD_OUT:
        expected = f"expected at most {MAX_HELD_OUT} episodes of them in all, got {held_out}"
        wrong = [Violation("held_out_systems", expected)]
    if wrong:
        raise invalid(wrong)
    return TrainingOrder(**stated)


def page(known: list[KnownModel], request: pb.ListModelsRequest) -> tuple[list[KnownModel], str]:
    """Give the models of a page, and the token of the next one.

    Raises
    ------
    ServerError
        INVALID_FIELD, for a token that no page has given.
    """
    size = min(request.page_size or PAGE, MAX_ON_PAGE)
    first = 0
    if request.page_token:
        versions = [model.version for model in known]
        if request.page_token not in versions:
            expected = "expected the next_page_token of the page before"
            raise invalid([Violation("page_token", expected)])
        first = versions.index(request.page_token) + 1
    shown = known[first : first + size]
    more = first + size < len(known)
    return shown, shown[-1].version if more else ""


def model(known: KnownModel, live: str) -> model_pb2.Model:
    """Convert a model."""
    message = model_pb2.Model(
        version=known.version,
        active=known.version == live,
        origin=model_pb2.MODEL_ORIGIN_BUILT_IN
        if known.built_in
        else model_pb2.MODEL_ORIGIN_TRAINED,
        create_time=times.timestamp(known.created),
        base_version=known.config.get(LEARNING, {}).get("base", ""),
        problem=known.problem,
    )
    if known.manifest is not None:
        message.horizon.CopyFrom(_seconds(known.manifest.horizon_s))
        message.alarm_threshold = known.manifest.threshold
        message.feature_count = len(known.manifest.features)
    if known.metrics:
        message.scores.CopyFrom(_scores(known.metrics))
    return message


def described(known: KnownModel, live: str) -> pb.GetModelResponse:
    """Convert everything that is known of a model."""
    metrics = known.metrics
    curves = metrics.pop("curves", None)
    response = pb.GetModelResponse(model=model(known, live), card=known.card)
    if metrics:
        response.metrics.CopyFrom(json_format.ParseDict(_finite(metrics), Struct()))
    if curves is not None:
        response.curves.CopyFrom(_curves(curves))
    return response


def training(known: Training) -> training_pb2.Training:
    """Convert a training."""
    message = training_pb2.Training(
        id=known.id,
        state=_STATE[known.state],
        stage=known.stage,
        share_done=known.share_done,
        message=known.message,
        start_time=times.timestamp(known.started),
        base_version=known.base_version,
        candidate_version=known.candidate_version or "",
        comparisons=[
            training_pb2.Comparison(
                compared_on=_COMPARED_ON[name],
                episodes=group["episodes"],
                incidents=group["incidents"],
                recall=_compared(group["recall"]),
                brier=_compared(group["brier"]),
                calibration_error=None if group["ece"] is None else _compared(group["ece"]),
            )
            for name, group in (known.comparison or {}).items()
        ],
    )
    if known.ended is not None:
        message.end_time.CopyFrom(times.timestamp(known.ended))
    return message


def _compared(figure: Mapping[str, Any]) -> training_pb2.Compared:
    return training_pb2.Compared(
        current=figure["current"],
        candidate=figure["candidate"],
        difference=figure["difference"],
        difference_low=figure["ci"][0],
        difference_high=figure["ci"][1],
    )


def _scores(metrics: Mapping[str, Any]) -> model_pb2.ModelScores:
    found = metrics["overall"]["model"]
    message = model_pb2.ModelScores(
        episodes=metrics["episodes"],
        incidents=found["incidents"],
        event_recall=found["event_recall"],
        foreseeable_recall=found["foreseeable_recall"],
        event_precision=found["event_precision"],
        brier_skill=found["brier_skill"],
        calibration_error=found["ece"],
    )
    if found["median_lead_s"] is not None:
        message.median_lead.CopyFrom(_seconds(found["median_lead_s"]))
    return message


def _curves(stored: Mapping[str, Any]) -> model_pb2.ModelCurves:
    return model_pb2.ModelCurves(
        operating_points=[model_pb2.OperatingPoint(**p) for p in stored["operating_points"]],
        reliability=[model_pb2.ReliabilityBin(**group) for group in stored["reliability"]],
        lead_times=[
            model_pb2.LeadTimeBin(
                incidents=group["incidents"],
                **({} if group["from_s"] is None else {"from": _seconds(group["from_s"])}),
            )
            for group in stored["lead_times"]
        ],
    )


def _finite(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _seconds(value: float) -> Duration:
    message = Duration()
    message.FromNanoseconds(round(value * 1e9))
    return message
