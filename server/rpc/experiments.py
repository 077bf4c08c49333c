"""Experiments, as messages: pure functions."""

from __future__ import annotations

from server.records.experiments import Breakage, Experiment, ExperimentEnd, ExperimentState
from server.rpc import times
from server.rpc.enums import EnumMap
from server.rpc.faults import fault
from server.rpc.slos import OBJECTIVE_NAMES
from sre_edge.v1 import experiment_pb2

_STATES = EnumMap(ExperimentState, experiment_pb2.ExperimentState, "EXPERIMENT_STATE")
_ENDS = EnumMap(ExperimentEnd, experiment_pb2.ExperimentEnd, "EXPERIMENT_END")


def experiment(stated: Experiment, *, broke: bool = True) -> experiment_pb2.Experiment:
    """Convert an experiment, with the list of what broke or without."""
    message = experiment_pb2.Experiment(
        id=stated.id,
        run_id=stated.run_id,
        name=stated.name,
        scenario=stated.scenario,
        state=_STATES.value[stated.state],
        ended_by=_ENDS.optional(stated.ended_by),
        start_time=times.timestamp(stated.start),
        faults=[fault(one) for one in stated.faults],
        outcome=_outcome(stated, broke=broke),
    )
    if stated.end is not None:
        message.end_time.CopyFrom(times.timestamp(stated.end))
    return message


def _outcome(stated: Experiment, *, broke: bool) -> experiment_pb2.ExperimentOutcome:
    found = stated.outcome
    spent = [one.share for breakage in found.broke for one in breakage.budget]
    message = experiment_pb2.ExperimentOutcome(
        broke=[_breakage(one) for one in found.broke] if broke else (),
        broken=len(found.broke),
        alarm_ids=found.alarm_ids,
        foretold=found.foretold,
        error_budget_spent=max(spent, default=0.0),
    )
    for field, value_s in (
        (message.time_to_first_alarm, found.first_alarm_s),
        (message.lead, found.lead_s),
        (message.time_to_recover, found.recovery_s),
    ):
        if value_s is not None:
            field.CopyFrom(times.duration(value_s))
    return message


def _breakage(found: Breakage) -> experiment_pb2.Breakage:
    message = experiment_pb2.Breakage(
        service=found.service,
        onset_time=times.timestamp(found.onset),
        last_breach_time=times.timestamp(found.last_breach),
        recovered=found.recovered,
        fault_ids=found.fault_ids,
        also_under=found.also_under,
        alarm_id=found.alarm_id,
        error_budgets=[
            experiment_pb2.BudgetSpent(
                objective=OBJECTIVE_NAMES.value[one.objective], share=one.share
            )
            for one in found.budget
        ],
    )
    if found.lead_s is not None:
        message.lead.CopyFrom(times.duration(found.lead_s))
    return message
