"""Runs of work pools, and the workers that execute them."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("pool", sa.String(63)))
    for table in ("workflows", "agents"):
        op.add_column(table, sa.Column("pool", sa.String(63), nullable=False, server_default=""))
    op.create_table(
        "pooled_runs",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("offer_at", UtcDateTime()),
        sa.Column("offers", sa.Integer(), nullable=False),
        sa.Column("lost_flow_run_id", sa.String(36)),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("inner_steps", sa.Integer(), nullable=False),
        sa.Column("inner_shift", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_pooled_runs_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_pooled_runs")),
    )
    op.create_index("ix_pooled_runs_offer_at", "pooled_runs", ["offer_at"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("key_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("pool", sa.String(63), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index("ix_workers_seen_at", "workers", ["seen_at"])
