"""Revisions of schedules and triggers, who has changed a trigger last, and what comparisons with
Prefect have found."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("schedules", "triggers"):
        column = sa.Column("revision", sa.Integer(), nullable=False, server_default="1")
        op.add_column(table, column)
    by = sa.Column("updated_by", sa.String(200), nullable=False, server_default="")
    op.add_column("triggers", by)
    op.execute("UPDATE triggers SET updated_by = created_by")
    op.create_table(
        "prefect_comparisons",
        sa.Column("work_pool", sa.String(200), nullable=False),
        sa.Column("compared_at", UtcDateTime(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("corrected_at", UtcDateTime()),
        sa.Column("created", sa.JSON(), nullable=False),
        sa.Column("corrected", sa.JSON(), nullable=False),
        sa.Column("removed", sa.JSON(), nullable=False),
        sa.Column("timers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("work_pool", name=op.f("pk_prefect_comparisons")),
    )
