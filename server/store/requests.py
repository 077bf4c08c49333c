"""Requests with an identifier, and the experiments that they were answered with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from server.records.experiments import AnsweredRequest, Experiment
from server.store.documents import DOCUMENT_VERSION, drop_oldest, parsed, plain, readable
from server.store.schema import requests

MAX_RECORDS = 10_000


def add(connection: Connection, system: str, request: AnsweredRequest, now: datetime) -> None:
    """Store a request with its answer; `now` is the wall clock."""
    connection.execute(
        insert(requests).values(
            system=system,
            request_id=request.request_id,
            content=request.content,
            experiment=request.experiment.id,
            time=now,
            document=plain(request.experiment),
            version=DOCUMENT_VERSION,
        )
    )


def since(connection: Connection, system: str, time: datetime) -> list[AnsweredRequest]:
    """Read the requests to a system since a time of the wall clock, oldest first."""
    query = select(requests).where(requests.c.system == system, requests.c.time >= time)
    return readable(
        connection.execute(query.order_by(requests.c.id)),
        lambda row: AnsweredRequest(row.request_id, row.content, parsed(Experiment, row.document)),
    )


def withdraw(connection: Connection, experiment_id: str) -> None:
    """Delete the request that an experiment was the answer to, if it had an identifier."""
    connection.execute(delete(requests).where(requests.c.experiment == experiment_id))


def forget(connection: Connection, system: str) -> None:
    """Delete all requests to a system."""
    connection.execute(delete(requests).where(requests.c.system == system))


def drop_old(connection: Connection, system: str) -> None:
    """Delete all but the newest requests to a system."""
    drop_oldest(connection, requests, system, MAX_RECORDS)
