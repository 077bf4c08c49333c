"""The commands that look back: experiments, incidents, and error budgets."""

from __future__ import annotations

from datetime import timedelta

import click
from google.protobuf.duration_pb2 import Duration

from sre_edge import outcomes
from sre_edge.cli import output
from sre_edge.cli.command import connected
from sre_edge.cli.values import SERVICE
from sre_edge.client import Client
from sre_edge.quantities import MISSING, duration, number
from sre_edge.times import moment
from sre_edge.v1 import experiment_pb2, incident_pb2, slo_pb2

COUNT = click.option(
    "--count",
    type=click.IntRange(1, 500),
    default=20,
    show_default=True,
    help="Maximum number of rows.",
)


@click.command()
@click.argument("experiment_id", required=False)
@COUNT
@connected
def experiments(client: Client, experiment_id: str | None, count: int, as_json: bool) -> None:
    """List experiments, newest first, or show the outcome of EXPERIMENT_ID."""
    if experiment_id is not None:
        found = client.experiment(experiment_id)
        if as_json:
            output.json_line(found)
        else:
            show_experiment(found)
        return
    listed = client.experiments(count)
    if as_json:
        for one in listed:
            output.json_line(one)
        return
    heads = ("experiment", "name", "state", "broke", "foretold", "first alarm", "recovered after")
    table = output.plain_table("experiments", heads)
    for one in listed:
        outcome = one.outcome
        table.add_row(
            one.id, one.name, outcomes.state(one), outcomes.broken(one),
            _lead(outcome.foretold, outcome.lead),
            _after(outcome, "time_to_first_alarm"), _after(outcome, "time_to_recover"),
        )  # fmt: skip
    output.console.print(table)


@click.command()
@click.option(
    "--service", type=SERVICE, default="", help="Only incidents that affected this service."
)
@click.option("--open", "is_open", is_flag=True, help="Only open incidents.")
@COUNT
@connected
def incidents(client: Client, service: str, is_open: bool, count: int, as_json: bool) -> None:
    """List incidents, newest first."""
    listed = client.incidents(service, is_open=is_open, count=count)
    if as_json:
        for one in listed:
            output.json_line(one)
        return
    heads = ("incident", "began", "ended", "probable origin", "foretold", "services")
    table = output.plain_table("incidents", heads)
    for one in listed:
        names = dict.fromkeys(affected.service for affected in one.services)
        ended = moment(one.end_time) if one.HasField("end_time") else "ongoing"
        if one.ended_by == incident_pb2.INCIDENT_END_MERGED:
            ended = f"part of {one.merged_into}"
        table.add_row(
            one.id, moment(one.onset_time), ended, one.probable_origin,
            _lead(one.foretold, one.lead), ", ".join(names),
        )  # fmt: skip
    output.console.print(table)


@click.command()
@click.argument("services", nargs=-1, type=SERVICE)
@click.option("--firing", is_flag=True, help="Only services with a firing alert.")
@connected
def slo(client: Client, services: tuple[str, ...], firing: bool, as_json: bool) -> None:
    """Show the error budgets of all SERVICES or some, and how fast they burn."""
    answer = client.slos(services, firing=firing)
    if as_json:
        output.json_line(answer)
        return
    burns = [
        f"burn {duration(policy.long_window.ToTimedelta().total_seconds())}"
        for policy in answer.policies
    ]
    period = duration(answer.budget_period.ToTimedelta().total_seconds())
    heads = ("service", "objective", "budget left", *burns, "alert")
    table = output.plain_table(f"error budgets for {period}", heads)
    for service in answer.services:
        for one in service.objectives:
            alerts = [
                enum_label(slo_pb2.AlertSeverity.Name(alert.severity)) for alert in one.alerts
            ]
            rates = [number(burn.long, "x") for burn in one.burn_rates]
            table.add_row(
                service.service, enum_label(slo_pb2.Objective.Name(one.objective), words=1),
                number(100.0 * one.budget_left, "%"), *rates, ", ".join(alerts),
            )  # fmt: skip
    output.console.print(table)


COMMANDS: tuple[click.Command, ...] = (experiments, incidents, slo)


def show_experiment(found: experiment_pb2.Experiment) -> None:
    """Show the faults of an experiment and its outcome."""
    outcome = found.outcome
    output.console.print(f"{found.id}: {found.name}, {outcomes.state(found)}")
    if outcomes.cut_short(found):
        output.console.print("its run ended first: what follows was seen until then")
    for fault in found.faults:
        output.console.print(f"  {moment(fault.start_time)}  {output.fault(fault)}")
    heads = ("broke", "at", "foretold", "last breach", "budget spent", "also under")
    table = output.plain_table("", heads)
    for one in outcome.broke:
        spent = max((budget.share for budget in one.error_budgets), default=0.0)
        table.add_row(
            one.service, moment(one.onset_time), _lead(one.HasField("lead"), one.lead),
            moment(one.last_breach_time) if one.recovered else "ongoing",
            number(100.0 * spent, "%"), ", ".join(one.also_under),
        )  # fmt: skip
    if outcome.broke:
        output.console.print(table)
    else:
        output.console.print(f"broke: {outcomes.broken(found)}")
    output.console.print(f"first alarm after: {_after(outcome, 'time_to_first_alarm')}")
    output.console.print(f"foretold: {_lead(outcome.foretold, outcome.lead)}")
    output.console.print(f"recovered after: {_after(outcome, 'time_to_recover')}")


def _lead(foretold: bool, lead: Duration) -> str:
    return f"{duration(lead.ToTimedelta().total_seconds())} ahead" if foretold else "no"


def _after(outcome: experiment_pb2.ExperimentOutcome, field: str) -> str:
    if not outcome.HasField(field):  # type: ignore[arg-type]
        return MISSING
    length: timedelta = getattr(outcome, field).ToTimedelta()
    return duration(length.total_seconds())


def enum_label(name: str, words: int = 2) -> str:
    """Name the value of an enum without the first `words` words, its prefix."""
    return name.split("_", words)[-1].lower().replace("_", " ")
