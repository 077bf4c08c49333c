"""Attributes incidents of services to the experiments that may have caused them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from server.experiments.tracked_experiment import TrackedExperiment
from server.pipeline.stages import Findings
from telemetry.graph import FloatArray


def attribute(findings: Findings, experiments: Sequence[TrackedExperiment]) -> set[str]:
    """Attribute the services that broke with a frame; return the affected experiments.

    A service is attributed to all experiments that have it on the path of a fault; see
    `server.experiments.paths`. One on no path is attributed to all experiments in which a
    neighbour, a caller or a callee, broke no later.
    """
    states, clock = findings.states, findings.clock
    new = states.began[np.argsort(states.onset[states.began], kind="stable")]
    first_s = (clock.end_of(0) - findings.run.start_time).total_seconds()
    # A fault may begin within a frame, so what counts is the end of the first breached one.
    at_s: FloatArray = first_s + states.onset[new] * np.float64(clock.interval_s)
    attributed = np.zeros(len(new), dtype=np.bool_)
    for experiment in experiments:
        attributed |= experiment.attribute_on_path(new, at_s)
    remaining = list(zip(new[~attributed].tolist(), at_s[~attributed].tolist(), strict=True))
    while remaining:
        matches = [
            [one.attribute_neighbour(*broken) for one in experiments] for broken in remaining
        ]
        matched = [any(of_one) for of_one in matches]
        remaining = [broken for broken, done in zip(remaining, matched, strict=True) if not done]
        if not any(matched):
            break
    return {experiment.id for experiment in experiments if experiment.mark_shared(experiments)}
