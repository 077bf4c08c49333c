"""Sums over the sub-steps of one interval, from which it is observed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from simulator.dynamics.attempt import Attempt
from simulator.dynamics.conditions import Conditions
from simulator.dynamics.parameters import Parameters
from simulator.dynamics.routes import Routes
from simulator.dynamics.step import Flows
from telemetry.graph import FloatArray


@dataclass(eq=False)
class Sums:
    """Services have shape (S, B), calls (C, B), routes (R, B), edges with their own route (X, B).

    What such edges add beyond the shared route is summed per service. In `whole_steps` of the
    steps all `replicas` (S, 1) served; what begins with `other_` is of the other steps.
    """

    steps: int
    whole_steps: int
    replicas: FloatArray
    edge_loss: FloatArray
    attempts: FloatArray
    failed: FloatArray
    route_awaited: FloatArray
    route_time: FloatArray
    route_time_square: FloatArray
    route_lost: FloatArray
    route_timed_out: FloatArray
    beyond_awaited: FloatArray
    beyond_time: FloatArray
    beyond_time_square: FloatArray
    beyond_lost: FloatArray
    beyond_timed_out: FloatArray
    arrived: FloatArray
    departed: FloatArray
    flood: FloatArray
    flood_failed: FloatArray
    failed_own: FloatArray
    failed_rejected: FloatArray
    failed_dependency: FloatArray
    response: FloatArray
    response_square: FloatArray
    dependency: FloatArray
    busy: FloatArray
    cpu: FloatArray
    memory: FloatArray
    other_serving: FloatArray
    other_ready: FloatArray
    other_availability: FloatArray
    memory_kills: FloatArray

    @classmethod
    def nothing(cls, p: Parameters, routes: Routes, copies: int) -> Self:
        """Begin an interval."""
        heights = {"attempts": p.calls, "failed": p.calls, "edge_loss": len(routes.alone)}

        def height(name: str) -> int:
            return (
                len(routes.callee) if name.startswith("route_") else heights.get(name, p.services)
            )

        names = [field.name for field in fields(cls)][3:]
        return cls(0, 0, p.replicas, **{name: np.zeros((height(name), copies)) for name in names})

    def add(self, p: Parameters, routes: Routes, flows: Flows, conditions: Conditions) -> None:
        """Add one sub-step."""
        outcome, queue, one = flows.outcome, flows.queue, flows.attempt
        self.steps += 1
        self.attempts += outcome.attempts
        self.failed += outcome.failed
        if flows.offered.stopped:
            blocked = flows.offered.blocked
            self.attempts[p.gated] += blocked
            self.failed[p.gated] += blocked
        attempts = routes.summed(outcome.attempts)
        scratch = np.multiply(attempts, one.awaited)
        self.route_awaited += scratch
        self.route_time += np.multiply(attempts, one.time_s, out=scratch)
        self.route_time_square += np.multiply(attempts, one.time_square_s2, out=scratch)
        self.route_timed_out += np.multiply(attempts, one.timed_out, out=scratch)
        if conditions.acts("loss", "edge_loss"):
            self.route_lost += attempts * one.lost
        if conditions.acts("edge_loss"):
            self.edge_loss += conditions.edge_loss
            self._add_beyond(routes, attempts, one)

        self.arrived += queue.arrived
        self.departed += queue.departed
        self.failed_rejected += queue.rejected
        admitted = queue.arrived - queue.rejected
        own = admitted * flows.own_failure
        self.failed_own += own
        failed = np.subtract(1.0, flows.dependency_success)
        failed *= np.subtract(admitted, own, out=own)
        self.failed_dependency += failed
        if conditions.acts("flood_rps"):
            flood = conditions.flood_rps * p.step_s
            good = (1.0 - flows.own_failure) * flows.dependency_success
            share = admitted / np.maximum(queue.arrived, 1e-300)
            self.flood += flood
            self.flood_failed += flood * (1.0 - share * good)

        mean_s, variance = flows.latency
        scratch = np.multiply(mean_s, mean_s)
        scratch += variance
        scratch *= queue.departed
        self.response_square += scratch
        self.response += np.multiply(queue.departed, mean_s, out=scratch)
        self.dependency += np.multiply(queue.departed, flows.dependency_s, out=scratch)

        self.busy += queue.busy
        self.memory += flows.replicas.memory
        self._add_replicas(p, flows)

    def _add_replicas(self, p: Parameters, flows: Flows) -> None:
        """Add the replicas; as long as all serve and none is scaled, they are only counted."""
        replicas, cpu_load = flows.replicas, flows.capacity.cpu_load
        if replicas.whole and not len(p.scaled):
            self.whole_steps += 1
            self.cpu += cpu_load
            return
        serving = replicas.ready > 0.0
        self.cpu += cpu_load * serving
        self.other_serving += serving
        self.other_ready += replicas.ready
        self.other_availability += replicas.availability
        self.memory_kills += replicas.memory_kills

    @property
    def serving(self) -> FloatArray:
        """Sub-steps with a ready replica."""
        return self.other_serving + self.whole_steps

    @property
    def ready(self) -> FloatArray:
        """Ready replicas."""
        return self.other_ready + self.whole_steps * self.replicas

    @property
    def availability(self) -> FloatArray:
        """Those over the configured ones."""
        return self.other_availability + self.whole_steps

    def _add_beyond(self, routes: Routes, attempts: FloatArray, one: Attempt) -> None:
        """Add what the attempts on routes of their own met beyond those of the shared route."""
        own, shared = routes.alone_route, routes.shared_route
        for total, each in (
            (self.beyond_awaited, one.awaited),
            (self.beyond_time, one.time_s),
            (self.beyond_time_square, one.time_square_s2),
            (self.beyond_lost, one.lost),
            (self.beyond_timed_out, one.timed_out),
        ):
            np.add.at(total, routes.callee[own], attempts[own] * (each[own] - each[shared]))
