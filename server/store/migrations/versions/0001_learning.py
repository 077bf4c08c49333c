"""Learning mode: trainings, activations, experiments and their examples."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "trainings",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("share_done", sa.Float, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime),
        sa.Column("base_version", sa.String(64), nullable=False),
        sa.Column("candidate_version", sa.String(64)),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("comparison", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_trainings"),
    )
    op.create_table(
        "activations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activations"),
    )
    op.create_table(
        "learned_experiments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("topology", sa.String(128), nullable=False),
        sa.Column("first_sequence", sa.Integer, nullable=False),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime, nullable=False),
        sa.Column("faults", sa.JSON, nullable=False),
        sa.Column("services", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("incidents", sa.Integer, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_learned_experiments"),
    )
    op.create_table(
        "learned_examples",
        sa.Column("experiment_id", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["learned_experiments.id"],
            name="fk_learned_examples_experiment_id_learned_experiments",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_id", name="pk_learned_examples"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("learned_examples", "learned_experiments", "activations", "trainings"):
        op.drop_table(name)
