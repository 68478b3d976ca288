"""Schedules, and what has started a run by itself."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("target_kind", sa.String(16), nullable=False),
        sa.Column("target_key", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("env", sa.String(64)),
        sa.Column("cron", sa.String(200)),
        sa.Column("interval_seconds", sa.Float()),
        sa.Column("rrule", sa.Text()),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("anchor", UtcDateTime(), nullable=False),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("catch_up", sa.String(8), nullable=False),
        sa.Column("overlap", sa.String(8), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("updated_by", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_schedules_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_schedules_workspace_id_key")),
    )
    op.add_column("runs", sa.Column("origin_kind", sa.String(16)))
    op.add_column("runs", sa.Column("origin_id", sa.String(36)))
    op.add_column("runs", sa.Column("origin_key", sa.String(200)))
    started = sa.text("origin_id IS NOT NULL")
    op.create_index(
        "ix_runs_origin",
        "runs",
        ["origin_id", "created_at", "id"],
        sqlite_where=started,
        postgresql_where=started,
    )
