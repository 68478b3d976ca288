"""Triggers, what has fired them, and which of them led to a run."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("causes", sa.JSON()))
    op.create_table(
        "triggers",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("condition", sa.JSON(), nullable=False),
        sa.Column("action", sa.JSON(), nullable=False),
        sa.Column("stopped_because", sa.Text()),
        sa.Column("hook", sa.String(64)),
        sa.Column("sealed_secret", sa.Text()),
        sa.Column("sealed_previous", sa.Text()),
        sa.Column("previous_until", UtcDateTime()),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_triggers_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triggers")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_triggers_workspace_id_key")),
        sa.UniqueConstraint("hook", name=op.f("uq_triggers_hook")),
    )
    op.create_table(
        "trigger_firings",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("trigger_id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("event_type", sa.String(32), nullable=False),
        sa.Column("event", sa.Text()),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("resend_of", sa.String(36)),
        sa.Column("causes", sa.JSON()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tellings", sa.Integer(), nullable=False),
        sa.Column("told_at", UtcDateTime()),
        sa.Column("run_id", sa.String(36)),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.JSON()),
        sa.Column("answer_status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.ForeignKeyConstraint(
            ["trigger_id"],
            ["triggers.id"],
            name=op.f("fk_trigger_firings_trigger_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger_firings")),
        sa.UniqueConstraint(
            "trigger_id", "event_id", name=op.f("uq_trigger_firings_trigger_id_event_id")
        ),
    )
    op.create_index(
        "ix_trigger_firings_list", "trigger_firings", ["trigger_id", "created_at", "id"]
    )
    op.create_index("ix_trigger_firings_created_at", "trigger_firings", ["created_at"])
    where = sa.text("state = 'waiting'")
    op.create_index(
        "ix_trigger_firings_waiting",
        "trigger_firings",
        ["created_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
