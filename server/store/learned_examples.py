"""Experiments on the live system that models learn from, with their labelled examples."""

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
    """One experiment.

    Attributes
    ----------
    run_id, topology
        Run it belongs to, and the name of the system.
    first_sequence
        Number of its first frame within the run.
    started, ended
        Begin of the first frame and end of the last one, simulated clock.
    faults
        Those that acted, as JSON: id, target, kind, intensity, start and duration.
    services, frames, incidents
        How many are recorded.
    bytes
        Size of the examples.
    id
        Given by the database; rising.
    """

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
        """What no other experiment has, in whatever database it is."""
        return f"{self.run_id}-{self.first_sequence}"


def add(
    connection: Connection,
    experiment: LearnedExperiment,
    content: bytes,
    *,
    max_experiments: int = MAX_EXPERIMENTS,
    max_bytes: int = MAX_BYTES,
) -> int:
    """Keep an experiment, and drop the oldest ones beyond the limits; return its identifier."""
    values = {name: getattr(experiment, name) for name in _NAMES}
    added = connection.execute(insert(learned_experiments).values(values)).inserted_primary_key
    assert added is not None  # noqa: S101 - a table with a primary key gives one
    number = int(added[0])
    connection.execute(insert(learned_examples).values(experiment_id=number, content=content))
    total = 0
    for index, row in enumerate(connection.execute(_NEWEST).all()):
        total += row.bytes
        if index and (index >= max_experiments or total > max_bytes):
            connection.execute(
                delete(learned_examples).where(learned_examples.c.experiment_id <= row.id)
            )
            connection.execute(
                delete(learned_experiments).where(learned_experiments.c.id <= row.id)
            )
            break
    return number


def newest(connection: Connection) -> list[LearnedExperiment]:
    """Give all experiments, newest first."""
    rows = connection.execute(select(learned_experiments).order_by(learned_experiments.c.id.desc()))
    return [
        LearnedExperiment(id=row.id, **{name: getattr(row, name) for name in _NAMES})
        for row in rows
    ]


def content(connection: Connection, number: int) -> bytes | None:
    """Give the examples of an experiment; None if it has been dropped."""
    query = select(learned_examples.c.content).where(learned_examples.c.experiment_id == number)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def count(connection: Connection, after: int = 0) -> int:
    """Count the experiments whose identifiers come after another."""
    query = (
        select(func.count())
        .select_from(learned_experiments)
        .where(learned_experiments.c.id > after)
    )
    return int(connection.execute(query).scalar_one())


_NAMES: Sequence[str] = [
    column.name for column in learned_experiments.columns if column is not learned_experiments.c.id
]
_NEWEST = select(learned_experiments.c.id, learned_experiments.c.bytes).order_by(
    learned_experiments.c.id.desc()
)
