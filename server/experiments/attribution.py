"""Puts down what broke to the experiments that may have broken it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from server.experiments.tracked import WatchedExperiment
from server.pipeline.stages import Watched
from telemetry.graph import FloatArray


def put_down(watched: Watched, experiments: Sequence[WatchedExperiment]) -> set[str]:
    """Put down what broke with a frame; return the experiments that it is put down to.

    First to all that have it on the way of a fault; see `server.experiments.paths`. What is on the
    way of none is put down to all under which a neighbour broke no later.
    """
    onset = watched.standing.onset
    new = watched.began[np.argsort(onset[watched.began], kind="stable")]
    interval_s, start = watched.clock.interval_s, watched.clock.end_of(0)
    first_s = (start - watched.run.start_time).total_seconds()
    # A fault may begin within a frame, so what counts is the end of the first breached one.
    at_s: FloatArray = first_s + onset[new] * np.float64(interval_s)
    taken = np.zeros(len(new), dtype=np.bool_)
    for experiment in experiments:
        taken |= experiment.take_on_way(new, at_s)
    left = list(zip(new[~taken].tolist(), at_s[~taken].tolist(), strict=True))
    while left:
        beside = [[one.take_beside(*broken) for one in experiments] for broken in left]
        found = [any(those) for those in beside]
        left = [broken for broken, known in zip(left, found, strict=True) if not known]
        if not any(found):
            break
    return {experiment.id for experiment in experiments if experiment.share(experiments)}
