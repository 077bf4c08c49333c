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


def experiment(record: Experiment, system: str, *, broke: bool = True) -> experiment_pb2.Experiment:
    """Convert an experiment on a system, with the list of what broke or without."""
    message = experiment_pb2.Experiment(
        id=record.id,
        run_id=record.run_id,
        name=record.name,
        scenario=record.scenario,
        state=_STATES.value[record.state],
        ended_by=_ENDS.optional(record.ended_by),
        start_time=times.timestamp(record.start),
        faults=[fault(one) for one in record.faults],
        outcome=_outcome(record, broke=broke),
        system=system,
    )
    if record.end is not None:
        message.end_time.CopyFrom(times.timestamp(record.end))
    return message


def _outcome(record: Experiment, *, broke: bool) -> experiment_pb2.ExperimentOutcome:
    outcome = record.outcome
    spent = [one.share for breakage in outcome.broke for one in breakage.budget]
    message = experiment_pb2.ExperimentOutcome(
        broke=[_breakage(one) for one in outcome.broke] if broke else (),
        broken=len(outcome.broke),
        alarm_ids=outcome.alarm_ids,
        foretold=outcome.foretold,
        error_budget_spent=max(spent, default=0.0),
    )
    for field, value_s in (
        (message.time_to_first_alarm, outcome.first_alarm_s),
        (message.lead, outcome.lead_s),
        (message.time_to_recover, outcome.recovery_s),
    ):
        if value_s is not None:
            field.CopyFrom(times.duration(value_s))
    return message


def _breakage(breakage: Breakage) -> experiment_pb2.Breakage:
    message = experiment_pb2.Breakage(
        service=breakage.service,
        onset_time=times.timestamp(breakage.onset),
        last_breach_time=times.timestamp(breakage.last_breach),
        recovered=breakage.recovered,
        fault_ids=breakage.fault_ids,
        also_under=breakage.also_under,
        alarm_id=breakage.alarm_id,
        error_budgets=[
            experiment_pb2.BudgetSpent(
                objective=OBJECTIVE_NAMES.value[one.objective], share=one.share
            )
            for one in breakage.budget
        ],
    )
    if breakage.lead_s is not None:
        message.lead.CopyFrom(times.duration(breakage.lead_s))
    return message
