"""Environments that ask for approvals, and the change requests that collect them."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("approvals", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("allow_bypass", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("environments", column)
    _add_requests()
    op.create_table(
        "change_request_approvals",
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("username", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _request("change_request_approvals"),
        sa.PrimaryKeyConstraint("request_id", "user_id", name=op.f("pk_change_request_approvals")),
    )
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "change_request_events",
        sa.Column("id", serial, nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _request("change_request_events"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_request_events")),
    )
    op.create_index(
        "ix_change_request_events_request", "change_request_events", ["request_id", "id"]
    )


def _add_requests() -> None:
    op.create_table(
        "change_requests",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("resource_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("env", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("arguments", "base")),
        sa.Column("before_version", sa.String(64)),
        sa.Column("after_version", sa.String(64)),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("before", "after", "refers_to")),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("author_id", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("apply_at", UtcDateTime()),
        sa.Column("bypassed", sa.Boolean(), nullable=False),
        sa.Column("closed_by", sa.String(200)),
        sa.Column("closed_at", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_change_requests_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_requests")),
    )
    op.create_index(op.f("ix_change_requests_workspace_id"), "change_requests", ["workspace_id"])
    op.create_index("ix_change_requests_state", "change_requests", ["state", "id"])
    op.create_index("ix_change_requests_resource", "change_requests", ["resource_id", "state"])


def _request(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["request_id"],
        ["change_requests.id"],
        name=op.f(f"fk_{table}_request_id"),
        ondelete="CASCADE",
    )
