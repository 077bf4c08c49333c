"""Records belong to systems, and documents state their version; systems that were added by a call.

It only adds, and what it adds has defaults: a server of the former version can go on writing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

DOCUMENTS = ("incidents", "alarms", "chaos_experiments", "events")
OTHERS = ("trainings", "activations", "learned_experiments", "kill_switch")


def upgrade() -> None:
    """Add the columns and the table."""
    for name in (*DOCUMENTS, *OTHERS):
        system = sa.Column("system", sa.String(63), nullable=False, server_default="default")
        op.add_column(name, system)
        op.create_index(f"ix_{name}_system", name, ["system", "id"])
    for name in DOCUMENTS:
        version = sa.Column("version", sa.String(16), nullable=False, server_default="1.0")
        op.add_column(name, version)
    op.create_table(
        "systems",
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("entry", sa.JSON, nullable=False),
        sa.Column("added", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_systems"),
    )


def downgrade() -> None:
    """Drop them; records of systems other than the default one remain, as if they were its own."""
    op.drop_table("systems")
    for name in DOCUMENTS:
        op.drop_column(name, "version")
    for name in (*DOCUMENTS, *OTHERS):
        op.drop_index(f"ix_{name}_system", name)
        op.drop_column(name, "system")
