"""Calls between services: attempts, their outcome, and the retries in their orbit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator import breaker, cache, pool, throttle
from simulator.conditions import Conditions
from simulator.graph import FloatArray
from simulator.latency_law import truncated
from simulator.parameters import Parameters
from simulator.state import State
from simulator.wiring import Wiring


class Offered(NamedTuple):
    """Load offered in a sub-step.

    Attributes
    ----------
    often
        (E,) or (B, E) calls per request of the caller, first attempts only.
    first_rps
        (B, C) first attempts, those that a breaker stops included.
    attempts_rps
        (L, B, C) attempts by the number of attempts before them.
    allowed
        (B, C) share of the retries that the budget allows.
    denied
        (B, C) retries that it denied in this sub-step.
    wanted, passing, blocked
        (B, C) attempts that the caller wants to make in this sub-step, the share of them that
        breaker, throttle and connection pool let through, and how many those stopped.
    arrival_rps
        (B, S) what reaches each service.
    """

    often: FloatArray
    first_rps: FloatArray
    attempts_rps: FloatArray
    allowed: FloatArray
    denied: FloatArray
    wanted: FloatArray
    passing: FloatArray
    blocked: FloatArray
    arrival_rps: FloatArray


class Outcome(NamedTuple):
    """What became of calls in a sub-step; shape (B, C), requests where counted.

    Attributes
    ----------
    attempts
        Attempts that were resolved.
    lost
        Those lost on the way.
    timed_out
        Those that the caller gave up on, though the callee would have answered well.
    failed
        All that failed, for whatever reason.
    served
        Calls that succeeded in the end.
    exhausted
        Calls that failed for good.
    time_s, time_square_s2
        Mean and second moment of the time of one attempt as the caller sees it; of those
        that are neither refused nor dropped at once `seen` is the share.
    seen
        Share of attempts that took any time at all.
    call_s, call_square_s2
        Mean and second moment of the time of one call, with its retries.
    outstanding
        (L, B, C) as in `State`.
    orbit
        (L - 1, B, C) as in `State`.
    breakers, throttles
        As in `State`.
    """

    attempts: FloatArray
    lost: FloatArray
    timed_out: FloatArray
    failed: FloatArray
    served: FloatArray
    exhausted: FloatArray
    time_s: FloatArray
    time_square_s2: FloatArray
    seen: FloatArray
    call_s: FloatArray
    call_square_s2: FloatArray
    outstanding: FloatArray
    orbit: FloatArray
    breakers: breaker.Breakers
    throttles: throttle.Throttles


def offer(
    p: Parameters,
    wiring: Wiring,
    conditions: Conditions,
    state: State,
    load: FloatArray,
    step_s: float,
) -> Offered:
    """Offered load: from outside, from callers, and from the orbit (simulation.md, equation 1).

    `load` (B,) is the load from outside over the nominal load.
    """
    first = np.empty((len(load), p.calls))
    often = p.calls_per_request[: p.edges]
    if len(p.caching):
        often = often * wiring.at_caller(cache.misses(p, state.warmth))
    first[:, : p.edges] = wiring.at_caller(state.flow_rps) * often
    entries = p.callee[p.edges :]
    first[:, p.edges :] = (
        load[:, None] * p.ingress_rps[p.edges :] * (1.0 + conditions.extra_load[:, entries])
    )
    leaving = -np.expm1(-step_s / p.backoff_s)[:, None, None]
    retries = state.orbit * (leaving / step_s)
    allowed = _budgeted(p, first, retries.sum(axis=0))
    wanted = first + allowed * retries.sum(axis=0)
    passing = breaker.passing(p, state.breakers)
    if len(p.throttled):
        passing[:, p.throttled] *= throttle.passing(state.throttles)
    if len(p.pooled):
        made = passing * wanted
        passing[:, p.pooled] *= pool.passing(p, state, conditions.delay_s, made, step_s)
    attempts = np.empty_like(state.outstanding)
    attempts[0] = first * passing
    attempts[1:] = retries * (allowed * passing)
    made = attempts.sum(axis=0)
    return Offered(
        often=often,
        first_rps=first,
        attempts_rps=attempts,
        allowed=allowed,
        denied=(1.0 - allowed) * retries.sum(axis=0) * step_s,
        wanted=wanted * step_s,
        passing=passing,
        blocked=(1.0 - passing) * wanted * step_s,
        arrival_rps=wiring.into_callee(made * (1.0 - conditions.loss)) + conditions.flood_rps,
    )


def _budgeted(p: Parameters, first: FloatArray, retries: FloatArray) -> FloatArray:
    """Share of the retries that the budgets allow (simulation.md, equation 12)."""
    most = np.where(first > 0.0, p.retry_budget, 0.0) * np.maximum(first, 1e-12)
    allowed: FloatArray = np.divide(
        np.minimum(most, retries), retries, out=np.ones_like(retries), where=retries > 0.0
    )
    return allowed


def resolve(
    p: Parameters,
    conditions: Conditions,
    state: State,
    offered: Offered,
    response: tuple[FloatArray, FloatArray],
    present: tuple[FloatArray, FloatArray],
    reachable: FloatArray,
    good: FloatArray,
    step_s: float,
) -> Outcome:
    """Resolve the attempts that end in this sub-step.

    Parameters
    ----------
    p, conditions, state, offered
        As of this sub-step.
    response
        (B, C) mean and variance of the callee's latency.
    present
        (B, C) the same, given the callee's queue as it is.
    reachable
        (B, C) share of the attempts that the callee does not refuse.
    good
        (B, C) share of the requests it takes that it answers well.
    step_s
        Length of the sub-step in seconds.
    """
    # Time of one attempt: network, the callee's latency up to the timeout; a lost one takes all.
    delay = conditions.delay_s
    variance = response[1] + conditions.delay_variance_s2
    timeout_s = np.broadcast_to(p.timeout_s, delay.shape)
    cut = truncated(response[0] + delay, variance, timeout_s)
    late = truncated(present[0] + delay, present[1] + conditions.delay_variance_s2, timeout_s).tail
    arrives = 1.0 - conditions.loss
    taken = arrives * reachable
    seen = conditions.loss + taken
    time_s = conditions.loss * p.timeout_s + taken * cut.mean
    time_square = conditions.loss * p.timeout_s**2 + taken * cut.second
    success = taken * good * (1.0 - late)
    failure = 1.0 - success

    # An attempt stays outstanding for that time, on average (simulation.md, equation 5).
    total = state.outstanding + offered.attempts_rps * step_s
    resolved = total * (step_s / (step_s + time_s))
    attempts = resolved.sum(axis=0)

    # Failures enter the orbit, one level per attempt (simulation.md, equation 1).
    failed = resolved * failure
    levels = np.arange(p.levels)[:, None, None]
    retried = failed[:-1] * (levels[:-1] < p.retries)
    leaving = -np.expm1(-step_s / p.backoff_s)[:, None, None]
    orbit = state.orbit * (1.0 - leaving) + retried
    all_failed = failed.sum(axis=0)
    exhausted = all_failed - retried.sum(axis=0) + offered.denied + offered.blocked
    call_s, call_square = _call_time(p, time_s, time_square, failure * offered.allowed)
    return Outcome(
        attempts=attempts,
        lost=attempts * conditions.loss,
        timed_out=attempts * (taken * good * late),
        failed=all_failed,
        served=attempts - all_failed,
        exhausted=exhausted,
        time_s=time_s,
        time_square_s2=time_square,
        seen=seen,
        call_s=call_s * offered.passing,
        call_square_s2=call_square * offered.passing,
        outstanding=total - resolved,
        orbit=orbit,
        breakers=breaker.advance(p, state.breakers, attempts, all_failed, step_s),
        throttles=throttle.advance(
            p, state.throttles, offered.wanted, attempts - all_failed, step_s
        ),
    )


def _call_time(
    p: Parameters, time_s: FloatArray, time_square: FloatArray, failure: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and second moment of a call that is retried until it succeeds or gives up."""
    attempts = np.ones_like(failure)
    attempts_square = np.ones_like(failure)
    backoff = np.zeros_like(failure)
    reach = np.ones_like(failure)
    for k, mean_backoff in enumerate(p.backoff_s):
        reach = reach * failure * (p.retries > k)
        attempts += reach
        attempts_square += (2 * k + 3) * reach
        backoff += mean_backoff * reach
    mean = attempts * time_s + backoff
    square_mean = time_s * time_s
    spread = attempts * (time_square - square_mean)
    spread += square_mean * (attempts_square - attempts * attempts)
    return mean, spread + mean * mean
