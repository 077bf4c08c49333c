"""Objectives and their budgets, as messages: pure functions."""

from __future__ import annotations

from server.pipeline.budgets import Budgets, BurnRatePolicy, alerts
from server.pipeline.objectives import OBJECTIVES
from server.records.findings import Objective, Severity, SloAlert
from server.rpc import times
from server.rpc.enums import EnumMap
from sre_edge.v1 import slo_pb2
from telemetry.graph import ServiceGraph

OBJECTIVE_NAMES = EnumMap(Objective, slo_pb2.Objective, "OBJECTIVE")
_SEVERITIES = EnumMap(Severity, slo_pb2.AlertSeverity, "ALERT_SEVERITY")


def service(budgets: Budgets, graph: ServiceGraph, i: int) -> slo_pb2.ServiceSlos:
    """Convert the objectives of one service."""
    firing: dict[Objective, list[SloAlert]] = {}
    for one in alerts(budgets, graph, i):
        firing.setdefault(one.objective, []).append(one)
    return slo_pb2.ServiceSlos(
        service=graph.names[i],
        request_rps=float(budgets.request_rps[i]),
        objectives=[
            slo_pb2.SloStatus(
                objective=OBJECTIVE_NAMES.value[objective],
                target=float(budgets.objectives.stated(objective)[i]),
                allowed_share=float(budgets.objectives.allowed[o, i]),
                budget_left=1.0 - float(budgets.spent[o, i]),
                burn_rates=[
                    slo_pb2.BurnRate(
                        long=float(budgets.long_burn[p, o, i]),
                        short=float(budgets.short_burn[p, o, i]),
                    )
                    for p in range(len(budgets.policies))
                ],
                alerts=[alert(one) for one in firing.get(objective, ())],
            )
            for o, objective in enumerate(OBJECTIVES)
        ],
    )


def policy(record: BurnRatePolicy) -> slo_pb2.BurnRatePolicy:
    """Convert a policy."""
    return slo_pb2.BurnRatePolicy(
        long_window=times.duration(record.long_s),
        short_window=times.duration(record.short_s),
        burn_rate=record.burn_rate,
        severity=_SEVERITIES.value[record.severity],
    )


def alert(record: SloAlert) -> slo_pb2.SloAlert:
    """Convert an alert."""
    return slo_pb2.SloAlert(
        service=record.service,
        objective=OBJECTIVE_NAMES.value[record.objective],
        severity=_SEVERITIES.value[record.severity],
        firing=record.firing,
        since_time=times.timestamp(record.since),
        burn_rate=record.burn_rate,
    )
