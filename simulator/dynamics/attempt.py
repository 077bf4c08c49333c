"""The outcome of one attempt of a call, and the time of a call with its retries, per route."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics.conditions import Conditions
from simulator.dynamics.response import Latency
from simulator.dynamics.routes import Routes
from simulator.laws.latency_law import tail, truncated
from telemetry.graph import FloatArray


class Attempt(NamedTuple):
    """One attempt; arrays of shape (R, B), shares of the attempts where not said otherwise.

    Attributes
    ----------
    success
        Answered well, in time.
    lost
        Lost on the way; the caller waits for its timeout. Shape (1, 1) where none is.
    timed_out
        Given up by the caller, though the callee would have answered well.
    late
        Share of the accepted attempts that the caller gives up.
    awaited
        Attempts that are neither refused nor dropped at once: the caller waits for them.
    time_s, time_square_s2
        First and second moment of the time that an attempt takes, 0 for those not seen.
    """

    success: FloatArray
    lost: FloatArray
    timed_out: FloatArray
    late: FloatArray
    awaited: FloatArray
    time_s: FloatArray
    time_square_s2: FloatArray


def attempt(
    routes: Routes,
    conditions: Conditions,
    usual: Latency,
    present: Latency,
    reachable: FloatArray,
    good: FloatArray,
) -> Attempt:
    """Compute the outcome of an attempt that is made now (simulation.md, equation 5).

    Parameters
    ----------
    routes, conditions
        As of this sub-step.
    usual, present
        Latency at each service, over all queues that chance may make and with the queue as it is.
    reachable
        (S, B) share of the attempts that the callee does not refuse.
    good
        (S, B) share of the requests it takes that it answers well.
    """
    timeout_s = routes.timeout_s
    if conditions.acts("delay_s"):
        delay_s, spread = conditions.delay_s, conditions.delay_variance_s2
        usual = Latency(usual.mean_s + delay_s, usual.variance_s2 + spread)
        present = Latency(present.mean_s + delay_s, present.variance_s2 + spread)
    time_s, time_square = truncated(
        routes.at_callee(usual.mean_s), routes.at_callee(usual.variance_s2), timeout_s
    )
    late = tail(routes.at_callee(present.mean_s), routes.at_callee(present.variance_s2), timeout_s)
    admitted = awaited = routes.at_callee(reachable)
    lost = np.zeros((1, 1))
    losing = conditions.acts("loss", "edge_loss")
    if losing:
        lost = routes.at_callee(conditions.loss).copy()
        lost[routes.alone_route] += conditions.edge_loss
        np.minimum(lost, 1.0, out=lost)
        admitted = admitted * (1.0 - lost)
        awaited = lost + admitted
    success = routes.at_callee(good) * admitted
    timed_out = success * late
    success -= timed_out
    time_s *= admitted
    time_square *= admitted
    if losing:
        time_s += lost * timeout_s
        time_square += lost * timeout_s * timeout_s
    return Attempt(
        success=success,
        lost=lost,
        timed_out=timed_out,
        late=late,
        awaited=awaited,
        time_s=time_s,
        time_square_s2=time_square,
    )


class CallTime(NamedTuple):
    """Time of a call with its retries, shape (R, B).

    Attributes
    ----------
    mean_s, variance_s2
        Mean and variance of the time of a call.
    """

    mean_s: FloatArray
    variance_s2: FloatArray

    @property
    def square_s2(self) -> FloatArray:
        """Its second moment."""
        return self.variance_s2 + self.mean_s * self.mean_s


def call_time(routes: Routes, one: Attempt) -> CallTime:
    """Time of a call that is retried until it succeeds or gives up.

    The k-th retry is made with probability failure^k; a budget holds all of them together down.
    """
    if not len(routes.made):
        return CallTime(one.time_s, one.time_square_s2 - one.time_s * one.time_s)
    failure = 1.0 - one.success
    reach = failure * routes.made[0]
    again, weighted, backoff_s = reach.copy(), reach.copy(), reach * routes.backoff_s[0]
    scratch = np.empty_like(reach)
    for k in range(1, len(routes.made)):
        reach *= failure
        if routes.fewer[k]:
            reach *= routes.made[k]
        again += reach
        weighted += np.multiply(reach, 2 * k + 1, out=scratch)
        backoff_s += np.multiply(reach, routes.backoff_s[k], out=scratch)
    if routes.budgeted:
        held = np.minimum(routes.retry_budget / np.maximum(again, 1e-12), 1.0)
        again *= held
        weighted *= held
        backoff_s *= held
    # N attempts of T each, M = N - 1 of them again: E[M^2] is the sum of 2 k + 1 over those k that
    # are made, from 0.
    weighted -= np.multiply(again, again, out=scratch)
    attempts = np.add(again, 1.0, out=again)
    square_mean = one.time_s * one.time_s
    spread = one.time_square_s2 - square_mean
    spread *= attempts
    weighted *= square_mean
    spread += weighted
    mean_s = np.multiply(attempts, one.time_s, out=attempts)
    mean_s += backoff_s
    return CallTime(mean_s, spread)
