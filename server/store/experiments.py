"""Experiments, the newest first."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.engine import Connection

from server.records.experiments import Experiment, ExperimentEnd, ExperimentState, FaultEnd
from server.store.documents import parsed, plain, prune, save
from server.store.pages import Page, newest
from server.store.schema import chaos_experiments

MAX_RECORDS = 10_000


def put(connection: Connection, experiment: Experiment) -> None:
    """Store an experiment, or update it."""
    values = {
        "finished": experiment.state is ExperimentState.FINISHED,
        "document": plain(experiment),
    }
    save(connection, chaos_experiments, experiment.id, values)


def get(connection: Connection, experiment_id: str) -> Experiment | None:
    """Read an experiment; None if there is none with this identifier."""
    query = select(chaos_experiments.c.document).where(chaos_experiments.c.key == experiment_id)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else parsed(Experiment, found)


def page(connection: Connection, before: int | None, size: int) -> Page[Experiment]:
    """Read experiments, the newest first, that are older than a position."""
    table = chaos_experiments
    return newest(connection, select(table), table, before, size, lambda d: parsed(Experiment, d))


def end_run(connection: Connection) -> int:
    """Finish the experiments that were unfinished when a server ended; return how many."""
    table = chaos_experiments
    rows = connection.execute(select(table.c.document).where(~table.c.finished)).all()
    for row in rows:
        experiment = parsed(Experiment, row.document)
        faults = tuple(
            fault if fault.ended_by else replace(fault, ended_by=FaultEnd.RUN_ENDED)
            for fault in experiment.faults
        )
        ended = replace(
            experiment,
            state=ExperimentState.FINISHED,
            ended_by=ExperimentEnd.RUN_ENDED,
            faults=faults,
        )
        put(connection, ended)
    return len(rows)


def drop_old(connection: Connection) -> None:
    """Delete all but the newest experiments."""
    prune(connection, chaos_experiments, MAX_RECORDS)
