"""Routes: calls that are alike meet the same latency, timeout and retries.

All calls to one service with the same timeout and the same retry policy take one route, whoever
makes them. What an attempt meets is computed once per route and not once per call; only requests
are counted call by call. An edge that a fault acts on alone has a route of its own as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from simulator.dynamics.parameters import Parameters
from simulator.dynamics.wiring import incidence, multiply
from simulator.laws.columns import collapsed
from telemetry.graph import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Routes:
    """R routes; arrays of routes have shape (R, B), constants (R, 1).

    The shared routes come first and are always the same; sums go over them, so that a fault on a
    single edge of one copy does not change the order of additions in another.

    Attributes
    ----------
    of_call
        (C,) the route of each call.
    callee
        (R,) the service that it leads to.
    timeout_s, retry_budget
        As in `Parameters`.
    budgeted
        Any of them has a retry budget.
    backoff_s
        (K, R, 1) mean wait before the k-th retry; (K, 1, 1) where all that retry are alike.
    made, fewer
        (K, R, 1) 1 where there is such a retry; K flags: fewer routes have it than the one before.
    alone
        (X,) edges that have a route of their own.
    alone_route, shared_route
        (X,) that route, and the one that they would share.
    one_each
        There is one route to every service, in the order of the services.
    """

    of_call: IntArray
    callee: IntArray
    timeout_s: FloatArray
    retry_budget: FloatArray
    budgeted: bool
    backoff_s: FloatArray
    made: FloatArray
    fewer: tuple[bool, ...]
    alone: IntArray
    alone_route: IntArray
    shared_route: IntArray
    one_each: bool
    _members: csr_array
    _often: csr_array
    _often_or_not: csr_array

    @classmethod
    def of(cls, p: Parameters, alone: IntArray) -> Self:
        """Find the routes of a system; the edges `alone` have their own."""
        policy = (p.timeout_s, p.retries, p.retry_budget, *p.backoff_s)
        alike = np.concatenate([p.callee[:, None], *policy], axis=1)
        _, sample, shared = np.unique(alike, axis=0, return_index=True, return_inverse=True)
        shared = shared.ravel()
        alone_route = len(sample) + np.arange(len(alone))
        sample = np.concatenate([sample, alone])
        of_call = shared.copy()
        of_call[alone] = alone_route
        height, width = p.services, len(sample)
        in_turn = np.flatnonzero(~p.parallel[p.caller])
        callers, routes = p.caller[in_turn], shared[in_turn]
        often = p.calls_per_request[in_turn]
        seldom = np.flatnonzero(often < 1.0)
        members = np.concatenate([shared, alone_route])
        made = p.may_retry[:, sample]
        calls = np.concatenate([np.arange(p.calls), alone])
        return cls(
            of_call=of_call,
            callee=p.callee[sample],
            timeout_s=p.timeout_s[sample],
            retry_budget=p.retry_budget[sample],
            budgeted=len(p.budgeted) > 0,
            backoff_s=_backoff_s(p, sample),
            made=made,
            fewer=(True, *(bool((a != b).any()) for a, b in pairwise(made))),
            alone=alone,
            alone_route=alone_route,
            shared_route=shared[alone],
            one_each=np.array_equal(p.callee[sample], np.arange(p.services)),
            _members=incidence(members, calls, width, p.calls),
            _often=incidence(callers, routes, height, width, often),
            _often_or_not=incidence(
                callers[seldom], routes[seldom], height, width, (often * (1.0 - often))[seldom]
            ),
        )

    @property
    def shared(self) -> int:
        """Number of the routes that are not an edge's own."""
        return len(self.callee) - len(self.alone)

    def at_callee(self, services: FloatArray) -> FloatArray:
        """Value of the service at the end of each route, (S, B) -> (R, B); not to be changed."""
        if self.one_each:
            return services
        return services.take(self.callee, axis=0, mode="clip")

    def at_calls(self, routes: FloatArray) -> FloatArray:
        """Value of the route of each call, (R, B) -> (C, B)."""
        return routes.take(self.of_call, axis=0, mode="clip")

    def summed(self, calls: FloatArray) -> FloatArray:
        """Sum over the calls on each route, (C, B) -> (R, B); those with their own on both."""
        return multiply(self._members, calls)

    def per_request(self, routes: FloatArray) -> FloatArray:
        """Sum over the calls of a request, made one after the other, (R, B) -> (S, B).

        As if no edge had a route of its own.
        """
        return multiply(self._often, routes)

    def per_request_or_not(self, routes: FloatArray) -> FloatArray:
        """Do the same with each call weighted by its chance of not being made once more.

        Calls that are made at least once have no such chance.
        """
        return multiply(self._often_or_not, routes)


def _backoff_s(p: Parameters, calls: IntArray) -> FloatArray:
    """Mean wait before each retry of some calls; for those that never retry it does not matter."""
    waits_s = p.backoff_s[:, calls]
    retried = p.retries[calls, 0] > 0.0
    if retried.any() and not retried.all():
        waits_s[:, ~retried] = waits_s[:, np.flatnonzero(retried)[:1]]
    return collapsed(waits_s)
