"""Access, workspaces, environments, chat prompts, history and rollouts."""

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIRST_ENVIRONMENTS = ("dev", "test", "prod")


def upgrade() -> None:
    op.create_table(
        "audit_counts",
        sa.Column("scope", sa.String(length=36), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_audit_counts")),
    )
    op.create_table(
        "login_tries",
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_tries")),
    )
    op.create_index(op.f("ix_login_tries_started_at"), "login_tries", ["started_at"])

    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=True),
        sa.Column("environments", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_api_keys_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_keys_token_hash")),
    )
    op.create_index(op.f("ix_api_keys_prefix"), "api_keys", ["prefix"])
    op.create_index(op.f("ix_api_keys_workspace_id"), "api_keys", ["workspace_id"])

    op.create_table(
        "environments",
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_environments_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "name", name=op.f("pk_environments")),
    )
    op.create_table(
        "workspace_members",
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_workspace_members_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_workspace_members_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "user_id", name=op.f("pk_workspace_members")),
    )
    op.create_index(op.f("ix_workspace_members_user_id"), "workspace_members", ["user_id"])

    op.create_table(
        "prompt_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("prompt_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("env", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=True),
        sa.Column("previous_version", sa.String(length=64), nullable=True),
        sa.Column("variants", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["prompts.id"],
            name=op.f("fk_prompt_history_prompt_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_history")),
    )
    op.create_index(op.f("ix_prompt_history_prompt_id"), "prompt_history", ["prompt_id"])

    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("prompt_id", sa.String(length=36), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("variants", sa.JSON(), nullable=False),
        sa.Column("salt", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompts.id"], name=op.f("fk_rollouts_prompt_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
        sa.UniqueConstraint("prompt_id", name=op.f("uq_rollouts_prompt_id")),
    )
    # Columns are added with a default and never by making a table anew: on SQLite that would drop
    # the old one, and with it, by the foreign keys, the versions of all prompts.
    op.add_column("audit_entries", _text("address", 64))
    op.add_column("audit_entries", _text("request_id", 64))
    op.add_column("audit_entries", sa.Column("before", sa.JSON(none_as_null=True)))
    op.add_column("audit_entries", sa.Column("after", sa.JSON(none_as_null=True)))
    for table in ("prompts", "prompt_versions"):
        op.add_column(table, _text("kind", 8, default="text"))
        op.add_column(table, _json("messages", "[]"))
        op.add_column(table, _json("config", "{}"))
    op.add_column(
        "prompt_versions", sa.Column("note", sa.Text(), nullable=False, server_default="")
    )
    op.add_column(
        "prompts", sa.Column("revision", sa.Integer(), nullable=False, server_default="1")
    )
    op.add_column("prompts", _text("updated_by", 200))
    op.add_column("workspaces", _text("visibility", 16, default="open"))
    _fill()


def _text(name: str, length: int, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=default)


def _json(name: str, default: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=False, server_default=default)


def _fill() -> None:
    """Count the audit entries, and give each workspace its environments."""
    op.execute(
        "INSERT INTO audit_counts (scope, total) "
        "SELECT COALESCE(workspace_id, ''), COUNT(*) FROM audit_entries GROUP BY 1"
    )
    for position, name in enumerate(FIRST_ENVIRONMENTS):
        op.execute(
            "INSERT INTO environments (workspace_id, name, position, protected) "  # noqa: S608
            f"SELECT id, '{name}', {position}, FALSE FROM workspaces"
        )
    op.execute(
        "INSERT INTO environments (workspace_id, name, position, protected) "
        "SELECT DISTINCT workspace_id, env, 3, FALSE FROM prompts "
        "WHERE env NOT IN ('dev', 'test', 'prod')"
    )
