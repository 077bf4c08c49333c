"""Experiments, the newest first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection

from server.records.experiments import Experiment, ExperimentEnd, ExperimentState, FaultEnd
from server.store.documents import drop_oldest, parsed, plain, readable, save
from server.store.pages import Page, newest
from server.store.schema import chaos_experiments

MAX_RECORDS = 10_000


def put(connection: Connection, system: str, experiment: Experiment, stored: Any = None) -> None:
    """Store an experiment, or update it; `stored` is its document as it was read."""
    values = {
        "finished": experiment.state is ExperimentState.FINISHED,
        "document": plain(experiment, stored),
    }
    save(connection, chaos_experiments, system, experiment.id, values)


def get(connection: Connection, system: str, experiment_id: str) -> Experiment | None:
    """Read an experiment; None if the system has none with this identifier."""
    table = chaos_experiments
    query = select(table.c.document).where(table.c.system == system, table.c.key == experiment_id)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else parsed(Experiment, found)


def page(connection: Connection, system: str, before: int | None, size: int) -> Page[Experiment]:
    """Read experiments, the newest first, that are older than a position."""
    table = chaos_experiments
    query = select(table).where(table.c.system == system)
    return newest(connection, query, table, before, size, lambda d: parsed(Experiment, d))


def withdraw(connection: Connection, experiment_id: str) -> None:
    """Delete an experiment that did not begin."""
    table = chaos_experiments
    connection.execute(delete(table).where(table.c.key == experiment_id))


def end_run(connection: Connection) -> int:
    """Finish the experiments that were unfinished when a server ended; return how many."""
    table = chaos_experiments
    rows = connection.execute(select(table).where(~table.c.finished))
    unfinished = readable(rows, lambda row: (row, parsed(Experiment, row.document)))
    for row, experiment in unfinished:
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
        put(connection, row.system, ended, row.document)
    return len(unfinished)


def drop_old(connection: Connection, system: str) -> None:
    """Delete all but the newest experiments of a system."""
    drop_oldest(connection, chaos_experiments, system, MAX_RECORDS)
