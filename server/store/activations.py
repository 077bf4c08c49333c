"""Activations of models: which model went live when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from server.store.schema import activations


@dataclass(frozen=True, slots=True)
class Activation:
    """A model that went live.

    Attributes
    ----------
    version
        Version of the model.
    time
        Time of the activation, wall clock.
    reason
        Why it went live.
    """

    version: str
    time: datetime
    reason: str


def add(connection: Connection, activation: Activation) -> None:
    """Store that a model went live."""
    connection.execute(
        insert(activations).values(
            version=activation.version, time=activation.time, reason=activation.reason
        )
    )


def latest(connection: Connection) -> Activation | None:
    """Read the latest activation; None if there is none."""
    query = select(activations).order_by(activations.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Activation(row.version, row.time, row.reason)


def versions(connection: Connection) -> set[str]:
    """Read the versions of all models that ever went live."""
    return set(connection.execute(select(activations.c.version).distinct()).scalars())
