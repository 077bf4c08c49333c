"""Calls between services: attempts, their outcome, and the retries in their orbit.

Everything is counted in requests per sub-step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics import breaker, cache, gate, throttle
from simulator.dynamics.attempt import Attempt
from simulator.dynamics.conditions import Conditions
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.routes import Routes
from simulator.dynamics.state import State
from simulator.dynamics.wiring import Wiring
from simulator.laws.columns import parts
from telemetry.graph import FloatArray


class Offered(NamedTuple):
    """Load offered in a sub-step.

    Attributes
    ----------
    misses
        (S, B) calls per request over their normal number; None where no service has a cache.
    first
        (C, B) first attempts that are made.
    retries
        (K, E, B) retries that are made, by the number of attempts before them less one.
    left
        (K, E, B) retries that left the orbit for it: made, denied or stopped by a gate.
    denied
        (budgeted, B) retries that the budget denied.
    wanted, passing
        (gated, B) attempts that the caller wants to make, and the share that its gate lets through.
    stopped
        A gate stops any of them.
    arrived
        (S, B) requests that reach each service, flood included.
    """

    misses: FloatArray | None
    first: FloatArray
    retries: FloatArray
    left: FloatArray
    denied: FloatArray
    wanted: FloatArray
    passing: FloatArray
    stopped: bool
    arrived: FloatArray

    @property
    def blocked(self) -> FloatArray:
        """Attempts that a gate stopped, (gated, B)."""
        return self.wanted * (1.0 - self.passing)


class Outcome(NamedTuple):
    """What became of calls in a sub-step; requests where counted.

    Attributes
    ----------
    attempts
        (C, B) attempts that were resolved.
    failed
        (C, B) those of them that failed, for whatever reason.
    exhausted
        (E, B) calls along edges that failed for good.
    ended
        (E, B) those and the calls that succeeded.
    outstanding, orbit, breakers, throttles
        As in `State`.
    """

    attempts: FloatArray
    failed: FloatArray
    exhausted: FloatArray
    ended: FloatArray
    outstanding: FloatArray
    orbit: FloatArray
    breakers: breaker.Breakers
    throttles: throttle.Throttles


def offer(
    p: Parameters,
    wiring: Wiring,
    routes: Routes,
    conditions: Conditions,
    state: State,
    load: FloatArray,
) -> Offered:
    """Offered load: from outside, from callers, and from the orbit (simulation.md, equation 1).

    `load` (B,) is the load from outside over the nominal load.
    """
    finished, misses = state.departed, None
    if len(p.caching):
        misses = cache.misses(p, state.cache_warmth)
        finished = finished * misses
    first = wiring.calls_of(finished)
    first[p.edges :] = load * (p.step_s * p.ingress_rps)
    if conditions.acts("extra_load"):
        first[p.edges :] *= 1.0 + conditions.extra_load[p.entries]

    left = retries = state.orbit * p.leaving
    denied = _denied(p, first, retries)
    if denied.any():
        requested = _over_levels(retries.take(p.budgeted, axis=1))
        retries = retries.copy()
        retries[:, p.budgeted] *= 1.0 - denied / np.maximum(requested, 1e-300)
    made = first.copy()
    for again in retries:
        made[: p.edges] += again
    wanted = passing = made.take(p.gated, axis=0)
    if len(p.gated):
        passing = gate.passing(p, state, conditions, wanted)
    stopped = bool((passing < 1.0).any())
    if stopped:
        first[p.gated] *= passing
        retries = retries.copy()
        retries[:, p.gated] *= passing
        made[p.gated] *= passing
    reaching = made
    if conditions.acts("loss", "edge_loss"):
        lost = conditions.loss[p.callee]
        lost[routes.alone] += conditions.edge_loss
        reaching = made * (1.0 - np.minimum(lost, 1.0))
    arrived = wiring.into_callee(reaching)
    if conditions.acts("flood_rps"):
        arrived += p.step_s * conditions.flood_rps
    return Offered(
        misses=misses,
        first=first,
        retries=retries,
        left=left,
        denied=denied,
        wanted=wanted,
        passing=passing,
        stopped=stopped,
        arrived=arrived,
    )


def _denied(p: Parameters, first: FloatArray, retries: FloatArray) -> FloatArray:
    """Retries that the budgets deny, (budgeted, B) (simulation.md, equation 12)."""
    if not len(p.budgeted):
        return np.empty((0, first.shape[1]))
    requested = _over_levels(retries.take(p.budgeted, axis=1))
    allowed = p.retry_budget.take(p.budgeted, axis=0) * first.take(p.budgeted, axis=0)
    denied: FloatArray = np.maximum(requested - allowed, 0.0)
    return denied


def _over_levels(values: FloatArray) -> FloatArray:
    """Sum over the levels, always in their order: (K, ...) -> (...)."""
    if not len(values):
        return np.zeros(values.shape[1:])
    total: FloatArray = values[0].copy()
    for value in values[1:]:
        total += value
    return total


def resolve(p: Parameters, routes: Routes, state: State, offered: Offered, one: Attempt) -> Outcome:
    """Resolve the attempts that end in this sub-step.

    An attempt stays outstanding for its time, on average (simulation.md, equation 5); if it
    fails, it enters the orbit, one level per attempt (equation 1). It goes part by part.
    """
    ending_route, failing_route = p.step_s / (p.step_s + one.time_s), 1.0 - one.success
    outstanding, orbit = np.empty_like(state.outstanding), np.empty_like(state.orbit)
    attempts, failed = np.empty((2, *offered.first.shape))
    exhausted, ended = np.empty((2, *orbit.shape[1:]))
    for part in parts(0, *attempts.shape):
        route = routes.of_call[part]
        ending = ending_route.take(route, axis=0, mode="clip")
        failing = failing_route.take(route, axis=0, mode="clip")
        n = max(0, min(part.stop, p.edges) - part.start)  # edges come first; users do not retry
        edges, now = slice(part.start, part.start + n), outstanding[:, part]
        done, lost, again = attempts[part], exhausted[edges], orbit[:, edges]
        np.add(state.outstanding[0, part], offered.first[part], out=now[0])
        np.add(state.outstanding[1:, edges], offered.retries[:, edges], out=now[1:, :n])
        now[1:, n:] = 0.0
        np.add.reduce(now, axis=0, out=done)
        done *= ending
        np.multiply(done, failing, out=failed[part])
        failing *= ending
        np.multiply(now[-1, :n], failing[:n], out=lost)
        np.multiply(now[:-1, :n], failing[:n], out=again)
        retried = again
        if not p.all_retried:
            retried = again * p.may_retry[:, edges]
            lost += _over_levels(again - retried)
        np.add(retried, state.orbit[:, edges] - offered.left[:, edges], out=again)
        np.subtract(done[:n], failed[edges], out=ended[edges])
        ended[edges] += lost
        now *= np.subtract(1.0, ending, out=ending)
    if offered.denied.any():
        exhausted[p.budgeted] += offered.denied
        ended[p.budgeted] += offered.denied
    if offered.stopped:
        blocked = offered.blocked
        exhausted[p.gated] += blocked
        ended[p.gated] += blocked
    return Outcome(
        attempts=attempts,
        failed=failed,
        exhausted=exhausted,
        ended=ended,
        outstanding=outstanding,
        orbit=orbit,
        breakers=breaker.advance(p, state.breakers, attempts, failed),
        throttles=throttle.advance(p, state.throttles, offered.wanted, attempts, failed),
    )
