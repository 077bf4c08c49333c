"""How an experiment ended, in words: one that was cut short is never told as if it were over."""

from __future__ import annotations

from sre_edge.v1 import experiment_pb2

_STATES = {
    experiment_pb2.EXPERIMENT_STATE_RUNNING: "running",
    experiment_pb2.EXPERIMENT_STATE_RECOVERING: "recovering",
    experiment_pb2.EXPERIMENT_STATE_FINISHED: "finished",
}
_ENDS = {
    experiment_pb2.EXPERIMENT_END_STOPPED: "stopped",
    experiment_pb2.EXPERIMENT_END_NOT_RECOVERED: "not recovered",
    experiment_pb2.EXPERIMENT_END_RUN_ENDED: "cut short",
}


def state(experiment: experiment_pb2.Experiment) -> str:
    """Say how far an experiment is, or how it ended."""
    label = _ENDS.get(experiment.ended_by) or _STATES.get(experiment.state)
    return label or f"state {experiment.state}"  # of a newer server


def cut_short(experiment: experiment_pb2.Experiment) -> bool:
    """Whether its run ended first, so that nobody knows what would have followed."""
    return experiment.ended_by == experiment_pb2.EXPERIMENT_END_RUN_ENDED


def broken(experiment: experiment_pb2.Experiment) -> str:
    """Say how many services broke: "3", "nothing", or what is known of one that was cut short."""
    count = str(experiment.outcome.broken) if experiment.outcome.broken else "nothing"
    return f"{count} until then" if cut_short(experiment) else count
