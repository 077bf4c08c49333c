"""The outcome of an experiment: pure functions of what broke and of the alarms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from server.pipeline.budgets import Budgets
from server.pipeline.incidents import MIN_LEAD_S
from server.pipeline.objectives import OBJECTIVES
from server.records.experiments import Breakage, BudgetSpent, ExperimentOutcome
from server.records.findings import Alarm, AlarmOutcome
from telemetry.graph import FloatArray


def outcome(
    start: datetime, last_end: datetime, broken: Iterable[Breakage], alarms: Sequence[Alarm]
) -> ExperimentOutcome:
    """Summarise what broke and the alarms of an experiment, given its first start and last end."""
    broke = tuple(sorted(broken, key=lambda breakage: breakage.onset))
    recovered = bool(broke) and all(breakage.recovered for breakage in broke)
    recovery = [(breakage.last_breach - last_end).total_seconds() for breakage in broke]
    leads_s = [
        (broke[0].onset - alarm.raised).total_seconds()
        for alarm in alarms
        if broke and alarm.outcome is AlarmOutcome.FORETOLD
    ]
    lead_s = max(leads_s, default=0.0)
    foretold = lead_s >= MIN_LEAD_S
    return ExperimentOutcome(
        broke=broke,
        alarm_ids=tuple(alarm.id for alarm in alarms),
        first_alarm_s=(alarms[0].raised - start).total_seconds() if alarms else None,
        foretold=foretold,
        lead_s=lead_s if foretold else None,
        recovery_s=max(0.0, *recovery) if recovered else None,
    )


def budgets_spent(budgets: Budgets, before: FloatArray, service: int) -> tuple[BudgetSpent, ...]:
    """Shares of a period's budgets that a service spent since `before`, (2, O, S).

    The period's budget is that of the mean load since the run began.
    """
    bad = budgets.counted[0, :, service] - before[0, :, service]
    total = budgets.counted[1, :, service] / budgets.seconds * budgets.period_s
    allowed = budgets.objectives.allowed[:, service]
    return tuple(
        BudgetSpent(objective, float(bad[i] / (allowed[i] * total[i])))
        for i, objective in enumerate(OBJECTIVES)
        if bad[i] > 0.0 and total[i] > 0.0
    )
