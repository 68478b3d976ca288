"""Runs that wait for people, and what these decide."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_plans", sa.Column("waits", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("run_plans", sa.Column("flow_run_id", sa.String(36)))
    op.create_table(
        "suspended_flow_runs",
        sa.Column("flow_run_id", sa.String(36), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("flow_run_id", name=op.f("pk_suspended_flow_runs")),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("workflow", sa.String(200), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("scope", sa.String(80)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("sealed", sa.Text()),
        sa.Column("form", sa.JSON(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("allow_link", sa.Boolean(), nullable=False),
        sa.Column("on_deadline", sa.String(16), nullable=False),
        sa.Column("deadline_at", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime()),
        sa.Column("decided_by", sa.String(200)),
        sa.Column("comment", sa.Text()),
        sa.Column("answers", sa.JSON()),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_approvals_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index("uq_approvals_run_id", "approvals", ["run_id", "position"], unique=True)
    op.create_index(
        "ix_approvals_workspace", "approvals", ["workspace_id", "state", "created_at", "id"]
    )
    op.create_index("ix_approvals_state", "approvals", ["state", "created_at", "id"])
