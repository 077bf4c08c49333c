"""Trainings, between the domain and the wire: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.learning.job import COMPARED_SYSTEMS, HELD_OUT_EPISODES
from server.errors import Violation, invalid
from server.learning.training_request import TrainingRequest
from server.rpc import times
from server.store.trainings import Training, TrainingState
from sre_edge.v1 import prediction_service_pb2 as pb
from sre_edge.v1 import training_pb2

MAX_REQUESTED = {"systems": 200, "episodes": 64, "held_out_systems": 50, "rounds": 1000}
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


def training_request(request: pb.StartTrainingRequest) -> TrainingRequest:
    """Convert a request for a training.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    requested = {field.name: value for field, value in request.ListFields()}
    wrong = [
        Violation(name, f"expected 1 to {MAX_REQUESTED[name]}, got {value}")
        for name, value in requested.items()
        if not 1 <= value <= MAX_REQUESTED[name]
    ]
    systems = requested.get("held_out_systems", COMPARED_SYSTEMS)
    held_out = systems * requested.get("episodes", HELD_OUT_EPISODES)
    if not wrong and held_out > MAX_HELD_OUT:
        expected = f"expected at most {MAX_HELD_OUT} episodes of them in all, got {held_out}"
        wrong = [Violation("held_out_systems", expected)]
    if wrong:
        raise invalid(wrong)
    return TrainingRequest(**requested)


def training(record: Training) -> training_pb2.Training:
    """Convert a training."""
    message = training_pb2.Training(
        id=record.id,
        system=record.system,
        state=_STATE[record.state],
        stage=record.stage,
        share_done=record.share_done,
        message=record.message,
        start_time=times.timestamp(record.started),
        base_version=record.base_version,
        candidate_version=record.candidate_version or "",
        comparisons=[
            training_pb2.Comparison(
                compared_on=_COMPARED_ON[name],
                episodes=group["episodes"],
                incidents=group["incidents"],
                recall=_compared(group["recall"]),
                brier=_compared(group["brier"]),
                calibration_error=None if group["ece"] is None else _compared(group["ece"]),
            )
            for name, group in (record.comparison or {}).items()
        ],
    )
    if record.ended is not None:
        message.end_time.CopyFrom(times.timestamp(record.ended))
    return message


def _compared(figure: Mapping[str, Any]) -> training_pb2.Compared:
    return training_pb2.Compared(
        current=figure["current"],
        candidate=figure["candidate"],
        difference=figure["difference"],
        difference_low=figure["ci"][0],
        difference_high=figure["ci"][1],
    )
