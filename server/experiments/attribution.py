"""Attributes what broke to the experiments that may have broken it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from server.experiments.tracked_experiment import TrackedExperiment
from server.pipeline.stages import Findings
from telemetry.graph import FloatArray


def attribute(findings: Findings, experiments: Sequence[TrackedExperiment]) -> set[str]:
    """Attribute what broke with a frame; return the experiments that it is attributed to.

    First to all that have it on the path of a fault; see `server.experiments.paths`. What is on
    the path of none is attributed to all under which a neighbour, who calls it or is called by it,
    broke no later.
    """
    states, clock = findings.states, findings.clock
    new = states.began[np.argsort(states.onset[states.began], kind="stable")]
    first_s = (clock.end_of(0) - findings.run.start_time).total_seconds()
    # A fault may begin within a frame, so what counts is the end of the first breached one.
    at_s: FloatArray = first_s + states.onset[new] * np.float64(clock.interval_s)
    known = np.zeros(len(new), dtype=np.bool_)
    for experiment in experiments:
        known |= experiment.take_on_path(new, at_s)
    left = list(zip(new[~known].tolist(), at_s[~known].tolist(), strict=True))
    while left:
        near = [[one.take_neighbour(*broken) for one in experiments] for broken in left]
        found = [any(those) for those in near]
        left = [broken for broken, attributed in zip(left, found, strict=True) if not attributed]
        if not any(found):
            break
    return {experiment.id for experiment in experiments if experiment.share(experiments)}
