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
    system
        System that it predicts for.
    version
        Version of the model.
    time
        Time of the activation, wall clock.
    reason
        Why it went live.
    """

    system: str
    version: str
    time: datetime
    reason: str


def add(connection: Connection, activation: Activation) -> None:
    """Store that a model went live."""
    connection.execute(
        insert(activations).values(
            system=activation.system,
            version=activation.version,
            time=activation.time,
            reason=activation.reason,
        )
    )


def latest(connection: Connection, system: str) -> Activation | None:
    """Read the latest activation for a system; None if there is none."""
    query = select(activations).where(activations.c.system == system)
    row = connection.execute(query.order_by(activations.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Activation(row.system, row.version, row.time, row.reason)


def versions(connection: Connection) -> set[str]:
    """Read the versions of all models that ever went live."""
    return set(connection.execute(select(activations.c.version).distinct()).scalars())
