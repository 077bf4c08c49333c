"""The present tables; `migrations/` has their history."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

from server.records.systems import DEFAULT_SYSTEM


class UtcTime(TypeDecorator[datetime]):
    """A time with zone, stored in UTC without zone, because SQLite has no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store in UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read as UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _system() -> Column[str]:
    """Make the column with the id of the system that a record belongs to."""
    return Column("system", String(63), nullable=False, server_default=DEFAULT_SYSTEM)


def _version() -> Column[str]:
    """Make the column with the version of a document's form."""
    return Column("version", String(16), nullable=False, server_default="1.0")


# Trainings of learning mode, also those that failed or were interrupted.
trainings = Table(
    "trainings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("stage", String(32), nullable=False),
    Column("share_done", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("ended", UtcTime),
    Column("base_version", String(64), nullable=False),
    Column("candidate_version", String(64)),
    Column("options", JSON, nullable=False),
    Column("comparison", JSON),
    _system(),
    Index("ix_trainings_system", "system", "id"),
)

# Activations of models; the last one is live.
activations = Table(
    "activations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", String(64), nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("reason", Text, nullable=False),
    _system(),
    Index("ix_activations_system", "system", "id"),
)

# Recorded experiments that models learn from.
learned_experiments = Table(
    "learned_experiments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", String(32), nullable=False),
    Column("topology", String(128), nullable=False),
    Column("first_sequence", Integer, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("ended", UtcTime, nullable=False),
    Column("faults", JSON, nullable=False),
    Column("services", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("incidents", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    _system(),
    Index("ix_learned_experiments_system", "system", "id"),
)

# Labelled rows of each of them: a compressed NumPy archive without pickles.
learned_examples = Table(
    "learned_examples",
    metadata,
    Column(
        "experiment_id",
        Integer,
        ForeignKey("learned_experiments.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("content", LargeBinary, nullable=False),
)

# Incidents; a document is the whole record, the other columns are for finding it.
incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("open", Boolean, nullable=False),
    Column("services", Text, nullable=False),
    Column("onset", UtcTime, nullable=False),
    Column("ended", UtcTime),
    Column("document", JSON, nullable=False),
    _system(),
    _version(),
    Index("ix_incidents_system", "system", "id"),
)

# Alarms, likewise.
alarms = Table(
    "alarms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("service", String(128), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("raised", UtcTime, nullable=False),
    Column("document", JSON, nullable=False),
    _system(),
    _version(),
    Index("ix_alarms_system", "system", "id"),
)

# Experiments, likewise.
chaos_experiments = Table(
    "chaos_experiments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("finished", Boolean, nullable=False),
    Column("document", JSON, nullable=False),
    _system(),
    _version(),
    Index("ix_chaos_experiments_system", "system", "id"),
)

# Requests with an identifier; a document is the experiment as it was answered.
requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("request_id", String(128), nullable=False),
    Column("content", String(64), nullable=False),
    Column("experiment", String(64), nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("document", JSON, nullable=False),
    _system(),
    _version(),
    Index("ix_requests_system", "system", "id"),
    Index("ix_requests_experiment", "experiment"),
)

# When the kill switch was engaged and lifted; the last row is valid.
kill_switch = Table(
    "kill_switch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("engaged", Boolean, nullable=False),
    Column("time", UtcTime, nullable=False),
    _system(),
    Index("ix_kill_switch_system", "system", "id"),
)

# The latest events.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", String(32), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("produced", UtcTime, nullable=False),
    Column("document", JSON, nullable=False),
    _system(),
    _version(),
    Index("ix_events_system", "system", "id"),
)

# Systems that were added by a call.
systems = Table(
    "systems",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("entry", JSON, nullable=False),
    Column("added", UtcTime, nullable=False),
)

OF_A_SYSTEM = (
    incidents, alarms, chaos_experiments, events, trainings, activations, learned_experiments,
    kill_switch, requests,
)  # fmt: skip
"""Tables of records that belong to a system."""
DOCUMENTS = (incidents, alarms, chaos_experiments, events, requests)
"""Tables of documents with a version."""
