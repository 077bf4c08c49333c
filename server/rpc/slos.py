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


def service(view: Budgets, graph: ServiceGraph, i: int) -> slo_pb2.ServiceSlos:
    """Convert the objectives of one service."""
    firing: dict[Objective, list[SloAlert]] = {}
    for one in alerts(view, graph, i):
        firing.setdefault(one.objective, []).append(one)
    return slo_pb2.ServiceSlos(
        service=graph.names[i],
        request_rps=float(view.request_rps[i]),
        objectives=[
            slo_pb2.SloStatus(
                objective=OBJECTIVE_NAMES.value[objective],
                target=float(view.objectives.stated(objective)[i]),
                allowed_share=float(view.objectives.allowed[o, i]),
                budget_left=1.0 - float(view.spent[o, i]),
                burn_rates=[
                    slo_pb2.BurnRate(
                        long=float(view.long_burn[p, o, i]), short=float(view.short_burn[p, o, i])
                    )
                    for p in range(len(view.policies))
                ],
                alerts=[alert(one) for one in firing.get(objective, ())],
            )
            for o, objective in enumerate(OBJECTIVES)
        ],
    )


def policy(stated: BurnRatePolicy) -> slo_pb2.BurnRatePolicy:
    """Convert a policy."""
    return slo_pb2.BurnRatePolicy(
        long_window=times.duration(stated.long_s),
        short_window=times.duration(stated.short_s),
        burn_rate=stated.burn_rate,
        severity=_SEVERITIES.value[stated.severity],
    )


def alert(found: SloAlert) -> slo_pb2.SloAlert:
    """Convert an alert."""
    return slo_pb2.SloAlert(
        service=found.service,
        objective=OBJECTIVE_NAMES.value[found.objective],
        severity=_SEVERITIES.value[found.severity],
        firing=found.firing,
        since_time=times.timestamp(found.since),
        burn_rate=found.burn_rate,
    )
