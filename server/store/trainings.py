"""Trainings of learning mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.engine import Connection, Row

from server.store.schema import trainings

MAX_ID = 2**31 - 1
INTERRUPTED = "the server stopped during the training"


class TrainingState(StrEnum):
    """State or result of a training."""

    RUNNING = "running"
    PROMOTED = "promoted"
    KEPT = "kept"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Training:
    """One training.

    Attributes
    ----------
    id
        Ascending from 1.
    system
        System that it is for.
    state
        State or result.
    stage, share_done, message
        Progress: name of the stage, share from 0 to 1, and a sentence, finally the reason.
    started, ended
        Wall clock; None while it runs.
    base_version, candidate_version
        Model that was live when it began; the trained one, None until there is one.
    options
        Options of the request.
    comparison
        Figures of both models; None until they are compared.
    """

    id: int
    system: str
    state: TrainingState
    stage: str
    share_done: float
    message: str
    started: datetime
    ended: datetime | None
    base_version: str
    candidate_version: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    comparison: dict[str, Any] | None = None


def begin(
    connection: Connection,
    system: str,
    base_version: str,
    started: datetime,
    options: dict[str, Any],
) -> Training:
    """Store that a training begins."""
    added = connection.execute(
        insert(trainings).values(
            system=system, state=TrainingState.RUNNING.value, stage="waiting", share_done=0.0,
            message="", started=started, base_version=base_version, options=options,
        )
    ).inserted_primary_key  # fmt: skip
    assert added is not None  # noqa: S101 - a table with a primary key gives one
    training = get(connection, int(added[0]))
    assert training is not None  # noqa: S101 - just written
    return training


def save(connection: Connection, training: Training) -> None:
    """Update the progress or the result of a training."""
    connection.execute(
        update(trainings)
        .where(trainings.c.id == training.id)
        .values(
            state=training.state.value,
            stage=training.stage,
            share_done=training.share_done,
            message=training.message,
            ended=training.ended,
            candidate_version=training.candidate_version,
            comparison=training.comparison,
        )
    )


def get(connection: Connection, number: int) -> Training | None:
    """Read a training of any system; None if there is none with this number."""
    if number > MAX_ID:
        return None  # PostgreSQL refuses such a value
    row = connection.execute(select(trainings).where(trainings.c.id == number)).one_or_none()
    return None if row is None else _training(row)


def latest(connection: Connection, system: str) -> Training | None:
    """Read the latest training for a system; None if there is none."""
    return _newest(connection, select(trainings).where(trainings.c.system == system))


def latest_uninterrupted(connection: Connection, system: str) -> Training | None:
    """Read the latest training for a system that was not interrupted; None if there is none."""
    interrupted = TrainingState.INTERRUPTED.value
    own = select(trainings).where(trainings.c.system == system)
    return _newest(connection, own.where(trainings.c.state != interrupted))


def interrupt(connection: Connection, ended: datetime) -> int:
    """Mark trainings that ran when the server ended as interrupted; return how many."""
    return connection.execute(
        update(trainings)
        .where(trainings.c.state == TrainingState.RUNNING.value)
        .values(state=TrainingState.INTERRUPTED.value, message=INTERRUPTED, ended=ended)
    ).rowcount


def _newest(connection: Connection, query: Select[Any]) -> Training | None:
    row = connection.execute(query.order_by(trainings.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _training(row)


def _training(row: Row[Any]) -> Training:
    values = {name: getattr(row, name) for name in Training.__slots__}
    return Training(**{**values, "state": TrainingState(row.state)})
