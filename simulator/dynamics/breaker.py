"""Circuit breakers of callers, with the defaults of Hystrix.

A breaker opens when half of its calls fail over a minimum volume; while it is open calls fail at
once and never reach the callee; then it lets a few through and closes or opens again by how they
end (simulation.md, equation 10). Arrays have shape (K, B): K calls with a breaker, B copies.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np

from simulator.dynamics.parameters import Parameters
from telemetry.graph import FloatArray

WINDOW_S = 10.0
PROBE_S = 2.0
PROBE_SHARE = 0.1


class Breakers(NamedTuple):
    """Breakers between two sub-steps.

    Attributes
    ----------
    volume, failures
        Attempts in the window, and those of them that failed; older ones fade out.
    open_s
        Time for which the breaker stays open; 0 when it is not.
    probe_s
        Time for which it stays half open after that; 0 when it is closed.
    """

    volume: FloatArray
    failures: FloatArray
    open_s: FloatArray
    probe_s: FloatArray


def closed(p: Parameters, copies: int) -> Breakers:
    """Breakers that have seen nothing yet."""
    return Breakers(*(np.zeros((len(p.guarded), copies)) for _ in Breakers._fields))


def passing(breakers: Breakers) -> FloatArray:
    """Share of the attempts that are made at all, (K, B)."""
    probing = np.where(breakers.probe_s > 0.0, PROBE_SHARE, 1.0)
    return np.where(breakers.open_s > 0.0, 0.0, probing)


def advance(
    p: Parameters, breakers: Breakers, attempts: FloatArray, failed: FloatArray
) -> Breakers:
    """Advance the breakers by the attempts that ended and those that failed, both (C, B)."""
    if not len(p.guarded):
        return breakers
    kept = exp(-p.step_s / WINDOW_S)
    volume = breakers.volume * kept + attempts.take(p.guarded, axis=0)
    failures = breakers.failures * kept + failed.take(p.guarded, axis=0)
    failing = (failures >= p.breaker_errors * volume) & (volume > 0.0)
    if not (failing.any() or breakers.probe_s.any()):  # a breaker that is open will probe, too
        return Breakers(volume, failures, breakers.open_s, breakers.probe_s)

    was_open, was_probing = breakers.open_s > 0.0, breakers.probe_s > 0.0
    open_s = np.maximum(breakers.open_s - p.step_s, 0.0)
    probe_s = np.where(was_open, breakers.probe_s, np.maximum(breakers.probe_s - p.step_s, 0.0))
    judged = was_probing & ~was_open & (probe_s <= 0.0)
    trips = (judged & failing) | (~was_open & ~was_probing & failing & (volume >= p.breaker_volume))
    forgets = trips | judged | (was_open & (open_s <= 0.0))
    return Breakers(
        volume=np.where(forgets, 0.0, volume),
        failures=np.where(forgets, 0.0, failures),
        open_s=np.where(trips, p.breaker_open_s, open_s),
        probe_s=np.where(trips, PROBE_S, probe_s),
    )
