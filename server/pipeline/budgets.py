"""Error budgets, burn rates, and alerts on them (Google SRE workbook, chapter 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from ml.definitions.incidents import BoolArray
from server.pipeline.objectives import OBJECTIVES, Objectives
from server.pipeline.windows import SlidingSum
from server.records.findings import Severity, SloAlert
from telemetry.frame import Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph
from telemetry.graph_change import GraphChange

HOUR_S = 3600.0
PERIOD_S = 30 * 24 * HOUR_S
CLEAR_RATIO = 0.5
"""Share of a policy's burn rate below which an alert clears: hysteresis."""


@dataclass(frozen=True, slots=True)
class SloSettings:
    """Settings of error budgets; see `BudgetStage`."""

    scale: float = 1.0 / 60.0
    min_rps: float = 1.0


@dataclass(frozen=True, slots=True)
class BurnRatePolicy:
    """Alert when the burn rates over two windows both exceed a limit.

    Attributes
    ----------
    long_s, short_s
        Lengths of the windows, seconds; the short one makes alerts clear soon.
    burn_rate
        Limit of the burn rate; 1 spends exactly the whole budget in its period.
    severity
        Severity of the alert.
    """

    long_s: float
    short_s: float
    burn_rate: float
    severity: Severity

    def scaled(self, scale: float) -> BurnRatePolicy:
        """Scale the windows of the policy."""
        return replace(self, long_s=scale * self.long_s, short_s=scale * self.short_s)


POLICIES = (
    BurnRatePolicy(HOUR_S, HOUR_S / 12, 14.4, Severity.PAGE),
    BurnRatePolicy(6 * HOUR_S, HOUR_S / 2, 6.0, Severity.PAGE),
    BurnRatePolicy(72 * HOUR_S, 6 * HOUR_S, 1.0, Severity.TICKET),
)


@dataclass(frozen=True, eq=False, slots=True)
class Budgets:
    """State of the error budgets after a frame; immutable.

    P is the number of policies, O that of objectives (`OBJECTIVES`), S that of services.

    Attributes
    ----------
    objectives, policies, period_s, min_rps
        Objectives, alert policies, period of a budget, seconds, and request rate below which alerts
        do not fire, requests per second.
    time, frames, seconds
        End of the frame, simulated clock; number of frames so far, and their total length.
    counted
        (2, O, S): bad and all since the run began; see `Objectives.judge`.
    long_burn, short_burn
        (P, O, S): burn rates over the windows of each policy.
    spent
        (O, S): share of the period's budget that is spent, 0 or more; above 1 it is overspent.
    request_rps
        (S,): mean request rate over the longest window that pages.
    firing, since
        (2, O, S): whether tickets and pages fire, and since which frame, counted from 0.
    """

    objectives: Objectives
    policies: tuple[BurnRatePolicy, ...]
    period_s: float
    min_rps: float
    time: datetime
    frames: int
    seconds: float
    counted: FloatArray
    long_burn: FloatArray
    short_burn: FloatArray
    spent: FloatArray
    request_rps: FloatArray
    firing: BoolArray
    since: IntArray


SEVERITIES = (Severity.TICKET, Severity.PAGE)
"""Severities in the order of `Budgets.firing`."""


class BudgetStage:
    """Tracks the error budgets of all services of one run.

    Parameters
    ----------
    graph
        States the objectives.
    interval_s
        Length of a frame.
    scale
        Factor for the length of every window, including the budget's period: with 1 an hour takes
        an hour, with 1/60 a minute.
    min_rps
        Below this request rate over the long window of a policy, it does not fire.
    """

    def __init__(
        self, graph: ServiceGraph, interval_s: float, *, scale: float, min_rps: float
    ) -> None:
        self._graph = graph
        self._objectives = Objectives.of(graph)
        self._policies = tuple(policy.scaled(scale) for policy in POLICIES)
        self._period_s = scale * PERIOD_S
        self._interval_s, self._min_rps = interval_s, min_rps
        shape = (2, len(OBJECTIVES), self._graph.services)
        lengths = {p.long_s for p in self._policies} | {p.short_s for p in self._policies}
        self._sums = {s: SlidingSum(shape, s, interval_s) for s in lengths}
        self._period = SlidingSum(shape, self._period_s, interval_s)
        self._counted = np.zeros(shape)
        self._frames = 0
        self._firing = np.zeros(shape, dtype=np.bool_)
        self._since = np.zeros(shape, dtype=np.intp)
        self._calm = np.zeros((len(self._policies), *shape[1:]), dtype=np.intp)
        self._exceeded = np.zeros(self._calm.shape, dtype=np.bool_)

    def update(self, frame: Frame, end: datetime) -> tuple[Budgets, list[SloAlert]]:
        """Process a frame that ends at a time; return the budgets and the alerts that changed."""
        judged = self._objectives.judge(frame)
        self._counted = self._counted + judged
        self._frames += 1
        sums = {length: window.add(judged) for length, window in self._sums.items()}
        long_burn = np.array([self._burn(sums[p.long_s], p.long_s) for p in self._policies])
        short_burn = np.array([self._burn(sums[p.short_s], p.short_s) for p in self._policies])
        rates = np.array([self._request_rps(sums[p.long_s], p.long_s) for p in self._policies])
        before = self._firing
        self._alert(long_burn, short_burn, rates)
        self._since = np.where(self._firing & ~before, self._frames - 1, self._since)
        view = Budgets(
            objectives=self._objectives,
            policies=self._policies,
            period_s=self._period_s,
            min_rps=self._min_rps,
            time=end,
            frames=self._frames,
            seconds=self._frames * self._interval_s,
            counted=self._counted,
            long_burn=long_burn,
            short_burn=short_burn,
            spent=self._burn(self._period.add(judged), self._period_s),
            request_rps=rates[1],
            firing=self._firing,
            since=self._since,
        )
        return view, [
            _alert(view, self._graph, *place)
            for place in np.argwhere(self._firing != before).tolist()
        ]

    def change_graph(self, change: GraphChange) -> None:
        """Change the graph; a new service has its whole budget."""
        self._graph = change.after
        self._objectives = Objectives.of(change.after)
        for window in (*self._sums.values(), self._period):
            window.rearrange(lambda values: change.of_services(values, 0.0))
        self._counted = change.of_services(self._counted, 0.0)
        self._firing = change.of_services(self._firing, False)
        self._since = change.of_services(self._since, 0)
        self._calm = change.of_services(self._calm, 0)
        self._exceeded = change.of_services(self._exceeded, False)

    def _burn(self, counted: FloatArray, window_s: float) -> FloatArray:
        """Burn rate over a window, (O, S); the time before the run counts as good."""
        bad, total = counted
        covered = min(1.0, self._frames * self._interval_s / window_s)
        share = np.divide(bad, total, out=np.zeros_like(bad), where=total > 0.0)
        burn: FloatArray = share / self._objectives.allowed * covered
        return burn

    def _request_rps(self, counted: FloatArray, window_s: float) -> FloatArray:
        rate: FloatArray = counted[1, 1] / min(window_s, self._frames * self._interval_s)
        return rate

    def _alert(self, long_burn: FloatArray, short_burn: FloatArray, rates: FloatArray) -> None:
        limits = np.array([policy.burn_rate for policy in self._policies])[:, None, None]
        busy = (rates >= self._min_rps)[:, None, :]
        fires = (long_burn >= limits) & (short_burn >= limits) & busy
        calm = short_burn < CLEAR_RATIO * limits
        self._calm = np.where(calm, self._calm + 1, 0)
        needed = np.array([max(1, round(p.short_s / self._interval_s)) for p in self._policies])
        over = self._calm >= needed[:, None, None]
        self._exceeded = fires | self._exceeded & ~over
        self._firing = np.array(
            [
                self._exceeded[[p.severity is severity for p in self._policies]].any(axis=0)
                for severity in SEVERITIES
            ]
        )


def alerts(view: Budgets, graph: ServiceGraph, service: int) -> list[SloAlert]:
    """Describe the firing alerts of a service."""
    return [
        _alert(view, graph, severity, objective, service)
        for severity, objective in np.argwhere(view.firing[:, :, service]).tolist()
    ]


def _alert(
    view: Budgets, graph: ServiceGraph, severity: int, objective: int, service: int
) -> SloAlert:
    which = [policy.severity is SEVERITIES[severity] for policy in view.policies]
    frames = view.frames - 1 - int(view.since[severity, objective, service])
    return SloAlert(
        service=graph.names[service],
        objective=OBJECTIVES[objective],
        severity=SEVERITIES[severity],
        firing=bool(view.firing[severity, objective, service]),
        since=view.time - timedelta(seconds=frames * view.seconds / view.frames),
        burn_rate=float(view.long_burn[which, objective, service].max()),
    )
