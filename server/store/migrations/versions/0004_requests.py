"""Requests with an identifier, and what they were answered.

It only adds: a server of the former version can go on writing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("experiment", sa.String(64), nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("system", sa.String(63), nullable=False, server_default="default"),
        sa.Column("version", sa.String(16), nullable=False, server_default="1.0"),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    op.create_index("ix_requests_system", "requests", ["system", "id"])
    op.create_index("ix_requests_experiment", "requests", ["experiment"])


def downgrade() -> None:
    """Drop the table: what is sent again after that is done again."""
    op.drop_table("requests")
