"""Effect of calls on their caller: how long it waits for them, and whether they fail it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from simulator.dynamics.attempt import CallTime
from simulator.dynamics.calls import Offered, Outcome
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.routes import Routes
from simulator.dynamics.wiring import incidence, multiply
from simulator.laws.columns import parts
from simulator.laws.fan_out import FanOut
from telemetry.graph import FloatArray


class Effect(NamedTuple):
    """Effect of the calls on their callers; arrays of shape (S, B).

    Attributes
    ----------
    wait_s, wait_variance_s2
        Time that a request waits for its calls.
    success
        Share of the requests whose required calls all succeed.
    """

    wait_s: FloatArray
    wait_variance_s2: FloatArray
    success: FloatArray


class Dependence:
    """Carries the outcome of calls to their callers (simulation.md, equations 4 and 6).

    A request makes `calls_per_request` calls on average: at most one is made with that
    probability, more are so many.
    """

    def __init__(self, p: Parameters) -> None:
        self._p = p
        self._required = np.flatnonzero(p.required)
        self._callers = p.caller[self._required]
        self._often = p.calls_per_request[self._required]
        self._once, self._repeated = np.minimum(self._often, 1.0), np.maximum(self._often, 1.0)
        places = np.arange(len(self._required))
        self._failing: csr_array = incidence(self._callers, places, p.services, len(places))
        self._fan_out = FanOut(p.caller, p.calls_per_request, p.parallel)

    def effect(self, routes: Routes, offered: Offered, outcome: Outcome, call: CallTime) -> Effect:
        """Effect of the calls of this sub-step."""
        wait_s = routes.per_request(call.mean_s)
        # A call of time T that is made with chance w adds w Var[T] + w (1 - w) E[T]^2.
        variance = routes.per_request(call.variance_s2)
        variance += routes.per_request_or_not(call.mean_s * call.mean_s)
        if len(routes.alone):
            self._with_own_routes(routes, call, wait_s, variance)
        if offered.stopped:
            self._without_stopped(routes, offered, call, wait_s, variance)
        if len(self._fan_out.edges):
            edges, callers = self._fan_out.edges, self._fan_out.callers
            route = routes.of_call[edges]
            made: FloatArray | float = 1.0
            if offered.stopped:
                passing = np.ones((self._p.calls, offered.passing.shape[1]))
                passing[self._p.gated] = offered.passing
                made = passing[edges]
            wait_s[callers], variance[callers] = self._fan_out.longest(
                call.mean_s.take(route, axis=0), call.square_s2.take(route, axis=0), made
            )
        if offered.misses is not None:
            wait_s *= offered.misses
            variance *= offered.misses
        return Effect(wait_s, np.maximum(variance, 0.0), self._success(offered, outcome))

    def _success(self, offered: Offered, outcome: Outcome) -> FloatArray:
        """Share of the requests whose required calls all succeed."""
        required = self._required
        logarithm = np.empty((len(required), outcome.ended.shape[1]))
        with np.errstate(divide="ignore"):
            for part in parts(0, *logarithm.shape):
                exhausted = outcome.exhausted.take(required[part], axis=0, mode="clip")
                ended = outcome.ended.take(required[part], axis=0, mode="clip")
                once, repeated = self._once[part], self._repeated[part]
                if offered.misses is not None:
                    often = self._often[part] * offered.misses.take(self._callers[part], axis=0)
                    once, repeated = np.minimum(often, 1.0), np.maximum(often, 1.0)
                ended += 1e-300
                failing = np.divide(exhausted, ended, out=exhausted)
                failing *= once
                np.log(np.subtract(1.0, failing, out=failing), out=failing)
                np.multiply(failing, repeated, out=logarithm[part])
        success: FloatArray = np.exp(multiply(self._failing, logarithm))
        return success

    def _with_own_routes(
        self, routes: Routes, call: CallTime, wait_s: FloatArray, variance: FloatArray
    ) -> None:
        """Let edges that have a route of their own take its time and not the shared one's."""
        p = self._p
        chosen = ~p.parallel[p.caller[routes.alone]]
        calls, own = routes.alone[chosen], routes.alone_route[chosen]
        shared, caller = routes.shared_route[chosen], p.caller[calls]
        often = p.calls_per_request[calls]
        or_not = often * (1.0 - np.minimum(often, 1.0))
        mean_s, spread = call
        np.add.at(wait_s, caller, often * (mean_s[own] - mean_s[shared]))
        np.add.at(variance, caller, often * (spread[own] - spread[shared]))
        np.add.at(variance, caller, or_not * (mean_s[own] ** 2 - mean_s[shared] ** 2))

    def _without_stopped(
        self,
        routes: Routes,
        offered: Offered,
        call: CallTime,
        wait_s: FloatArray,
        variance: FloatArray,
    ) -> None:
        """Take away the time of the calls that gates stopped: they take none."""
        p = self._p
        chosen = (offered.passing < 1.0).any(axis=1) & ~p.parallel[p.caller[p.gated]]
        calls, stopped = p.gated[chosen], 1.0 - offered.passing[chosen]
        often, caller, route = p.calls_per_request[calls], p.caller[calls], routes.of_call[calls]
        mean_s = call.mean_s[route]
        square = call.variance_s2[route] + mean_s * mean_s
        np.subtract.at(wait_s, caller, often * stopped * mean_s)
        passing = 1.0 - stopped
        once = np.minimum(often, 1.0) * mean_s * mean_s * (1.0 - passing * passing)
        np.subtract.at(variance, caller, often * (stopped * square - once))
