"""Horizontal scaling after the Kubernetes autoscaler (simulation.md, equation 13).

Every 15 s the replicas wanted are ceil(replicas x utilisation / target), unless that ratio is
within 10 % of 1. More replicas are started at once and serve after their start-up time; fewer only
when fewer have been wanted for 300 s, and never fewer than the most wanted in that time. Arrays
have shape (K, B): K services with an autoscaler, B copies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics.parameters import Parameters
from telemetry.graph import FloatArray

PERIOD_S = 15.0
TOLERANCE = 0.1
SCALE_DOWN_AFTER_S = 300.0


class Scaling(NamedTuple):
    """The autoscalers between two sub-steps.

    Attributes
    ----------
    wanted
        Replicas that are configured now.
    starting
        Those of them that do not serve yet.
    starting_s
        Time until those do.
    utilization
        Busy workers over ready ones, mean over about one period.
    decision_s
        Time until the next decision.
    fewer_s
        For how long fewer replicas would have been enough.
    fewer
        The most that were wanted in that time.
    """

    wanted: FloatArray
    starting: FloatArray
    starting_s: FloatArray
    utilization: FloatArray
    decision_s: FloatArray
    fewer_s: FloatArray
    fewer: FloatArray


def initial(p: Parameters, copies: int) -> Scaling:
    """Begin with as many replicas as configured."""
    shape = (len(p.scaled), copies)
    nothing = np.zeros(shape)
    wanted = np.broadcast_to(np.clip(p.replicas[p.scaled], p.scale_min, p.scale_max), shape).copy()
    target = np.broadcast_to(p.scale_target, shape).copy()
    return Scaling(wanted, nothing, nothing, target, np.full(shape, PERIOD_S), nothing, nothing)


def replicas(p: Parameters, scaling: Scaling) -> tuple[FloatArray, FloatArray]:
    """Replicas that are configured and those of them that have started, (S, B) or (S, 1)."""
    if not len(p.scaled):
        return p.replicas, p.replicas
    configured = np.repeat(p.replicas, scaling.wanted.shape[1], axis=1)
    configured[p.scaled] = scaling.wanted
    started = configured.copy()
    started[p.scaled] -= scaling.starting
    return configured, started


def advance(p: Parameters, scaling: Scaling, ready: FloatArray, busy: FloatArray) -> Scaling:
    """Advance the autoscalers by one sub-step, given ready replicas and busy workers (S, B)."""
    if not len(p.scaled):
        return scaling
    step_s = p.step_s
    serving = ready[p.scaled]
    workers = serving * p.workers[p.scaled]
    now = np.divide(busy[p.scaled], workers, out=np.zeros_like(workers), where=workers > 0)
    utilization = now + (scaling.utilization - now) * np.exp(-step_s / PERIOD_S)
    starting_s = np.maximum(scaling.starting_s - step_s, 0.0)
    starting = np.where(starting_s > 0.0, scaling.starting, 0.0)

    decision_s = scaling.decision_s - step_s
    decides = decision_s <= 0.0
    ratio = utilization / p.scale_target
    desired = np.where(np.abs(ratio - 1.0) <= TOLERANCE, scaling.wanted, np.ceil(serving * ratio))
    desired = np.clip(desired, p.scale_min, p.scale_max)
    more = decides & (desired > scaling.wanted)
    lower = decides & (desired < scaling.wanted)
    fewer = np.where(lower, np.maximum(scaling.fewer, desired), scaling.fewer)
    fewer_s = np.where(scaling.fewer > 0.0, scaling.fewer_s + step_s, 0.0)
    fewer = np.where(decides & ~lower, 0.0, fewer)
    less = lower & (fewer_s >= SCALE_DOWN_AFTER_S)
    wanted = np.where(more, desired, np.where(less, fewer, scaling.wanted))
    return Scaling(
        wanted=wanted,
        starting=np.where(more, starting + desired - scaling.wanted, np.minimum(starting, wanted)),
        starting_s=np.where(more, p.startup_s[p.scaled], starting_s),
        utilization=utilization,
        decision_s=np.where(decides, PERIOD_S, decision_s),
        fewer_s=np.where(less | (fewer <= 0.0), 0.0, fewer_s),
        fewer=np.where(less, 0.0, fewer),
    )
