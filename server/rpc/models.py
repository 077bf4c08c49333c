"""Models, as messages: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from ml.serving.artefact import LEARNING
from server.errors import Violation, invalid
from server.learning.model_registry import RegisteredModel
from server.rpc import times
from sre_edge.v1 import model_pb2
from sre_edge.v1 import prediction_service_pb2 as pb

DEFAULT_PAGE, MAX_PAGE = 50, 200


def page(
    registered: list[RegisteredModel], request: pb.ListModelsRequest
) -> tuple[list[RegisteredModel], str]:
    """Get the models of a page, and the token of the next page.

    Raises
    ------
    ServerError
        INVALID_FIELD, for an unknown token.
    """
    size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    first = 0
    if request.page_token:
        versions = [model.version for model in registered]
        if request.page_token not in versions:
            expected = "expected the next_page_token of the page before"
            raise invalid([Violation("page_token", expected)])
        first = versions.index(request.page_token) + 1
    shown = registered[first : first + size]
    more = first + size < len(registered)
    return shown, shown[-1].version if more else ""


def model(registered: RegisteredModel, live: str) -> model_pb2.Model:
    """Convert a model."""
    message = model_pb2.Model(
        version=registered.version,
        active=registered.version == live,
        origin=model_pb2.MODEL_ORIGIN_BUILT_IN
        if registered.built_in
        else model_pb2.MODEL_ORIGIN_TRAINED,
        create_time=times.timestamp(registered.created),
        base_version=registered.config.get(LEARNING, {}).get("base", ""),
        problem=registered.problem,
    )
    if registered.manifest is not None:
        message.horizon.CopyFrom(_seconds(registered.manifest.horizon_s))
        message.alarm_threshold = registered.manifest.threshold
        message.feature_count = len(registered.manifest.features)
    if registered.metrics:
        message.scores.CopyFrom(_scores(registered.metrics))
    return message


def model_details(registered: RegisteredModel, live: str) -> pb.GetModelResponse:
    """Convert all details of a model."""
    metrics = registered.metrics
    curves = metrics.pop("curves", None)
    response = pb.GetModelResponse(model=model(registered, live), card=registered.card)
    if metrics:
        response.metrics.CopyFrom(json_format.ParseDict(_finite(metrics), Struct()))
    if curves is not None:
        response.curves.CopyFrom(_curves(curves))
    return response


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
    """Replace numbers that JSON cannot represent by null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _seconds(value: float) -> Duration:
    message = Duration()
    message.FromNanoseconds(round(value * 1e9))
    return message
