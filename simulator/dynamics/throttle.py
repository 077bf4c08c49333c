"""Client-side adaptive throttling, after "Handling Overload" in Google's SRE book.

A caller that gets few answers stops asking by itself: of its requests the share
max(0, (requests - 2 accepted) / (requests + 1)) is not sent, counted over two minutes
(simulation.md, equation 11). Arrays have shape (K, B): K calls that are throttled, B copies.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np

from simulator.dynamics.parameters import Parameters
from telemetry.graph import FloatArray

WINDOW_S = 120.0
MULTIPLIER = 2.0


class Throttles(NamedTuple):
    """Throttles between two sub-steps.

    Attributes
    ----------
    requests
        Attempts that the caller wanted to make in the window; older ones fade out.
    accepted
        Those that were answered well.
    """

    requests: FloatArray
    accepted: FloatArray


def idle(p: Parameters, copies: int) -> Throttles:
    """Throttles that have seen nothing yet."""
    return Throttles(*(np.zeros((len(p.throttled), copies)) for _ in Throttles._fields))


def passing(throttles: Throttles) -> FloatArray:
    """Share of the attempts that are made, (K, B)."""
    excess = throttles.requests - MULTIPLIER * throttles.accepted
    share: FloatArray = 1.0 - np.maximum(excess, 0.0) / (throttles.requests + 1.0)
    return share


def advance(
    p: Parameters,
    throttles: Throttles,
    wanted: FloatArray,
    attempts: FloatArray,
    failed: FloatArray,
) -> Throttles:
    """Advance by the attempts wanted (gated, B), and those that ended and that failed (C, B)."""
    if not len(p.throttled):
        return throttles
    kept = exp(-p.step_s / WINDOW_S)
    return Throttles(
        throttles.requests * kept + wanted.take(p.gated_throttled, axis=0),
        throttles.accepted * kept
        + (attempts.take(p.throttled, axis=0) - failed.take(p.throttled, axis=0)),
    )
