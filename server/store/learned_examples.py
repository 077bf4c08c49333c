"""Recorded experiments that models learn from, with their labelled examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.engine import Connection

from server.store.schema import learned_examples, learned_experiments

MAX_EXPERIMENTS = 200
MAX_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class LearnedExperiment:
    """A recorded experiment.

    Attributes
    ----------
    system
        System that it was recorded on.
    run_id, topology
        Its run, and the name of the system.
    first_sequence
        Number of its first frame in its run.
    started, ended
        Start of the first frame and end of the last one, simulated clock.
    faults
        Active faults as JSON: id, target, kind, intensity, start and duration.
    services, frames, incidents
        Number of recorded services, frames and incidents.
    bytes
        Size of the examples.
    id
        Assigned by the database, ascending.
    """

    system: str
    run_id: str
    topology: str
    first_sequence: int
    started: datetime
    ended: datetime
    faults: list[dict[str, Any]]
    services: int
    frames: int
    incidents: int
    bytes: int
    id: int = 0

    @property
    def key(self) -> str:
        """Key that is unique across databases."""
        return f"{self.run_id}-{self.first_sequence}"


def add(
    connection: Connection,
    experiment: LearnedExperiment,
    content: bytes,
    *,
    max_experiments: int = MAX_EXPERIMENTS,
    max_bytes: int = MAX_BYTES,
) -> int:
    """Store an experiment, and delete the oldest beyond the limits; return its identifier."""
    values = {name: getattr(experiment, name) for name in _NAMES}
    added = connection.execute(insert(learned_experiments).values(values)).inserted_primary_key
    assert added is not None  # noqa: S101 - a table with a primary key gives one
    number = int(added[0])
    connection.execute(insert(learned_examples).values(experiment_id=number, content=content))
    total = 0
    own = learned_experiments.c.system == experiment.system
    for index, row in enumerate(connection.execute(_NEWEST.where(own)).all()):
        total += row.bytes
        if index and (index >= max_experiments or total > max_bytes):
            old = select(learned_experiments.c.id).where(own, learned_experiments.c.id <= row.id)
            connection.execute(
                delete(learned_examples).where(learned_examples.c.experiment_id.in_(old))
            )
            connection.execute(
                delete(learned_experiments).where(own, learned_experiments.c.id <= row.id)
            )
            break
    return number


def newest(connection: Connection, system: str) -> list[LearnedExperiment]:
    """Read all experiments of a system, newest first."""
    own = select(learned_experiments).where(learned_experiments.c.system == system)
    rows = connection.execute(own.order_by(learned_experiments.c.id.desc()))
    return [
        LearnedExperiment(id=row.id, **{name: getattr(row, name) for name in _NAMES})
        for row in rows
    ]


def content(connection: Connection, number: int) -> bytes | None:
    """Read the examples of an experiment; None if it has been deleted."""
    query = select(learned_examples.c.content).where(learned_examples.c.experiment_id == number)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def count(connection: Connection, system: str, after: int = 0) -> int:
    """Count the experiments of a system with identifiers above `after`."""
    query = (
        select(func.count())
        .select_from(learned_experiments)
        .where(learned_experiments.c.system == system, learned_experiments.c.id > after)
    )
    return int(connection.execute(query).scalar_one())


_NAMES: Sequence[str] = [
    column.name for column in learned_experiments.columns if column is not learned_experiments.c.id
]
_NEWEST = select(learned_experiments.c.id, learned_experiments.c.bytes).order_by(
    learned_experiments.c.id.desc()
)
