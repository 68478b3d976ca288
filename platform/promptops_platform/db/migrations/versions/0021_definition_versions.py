"""Versions of agents and workflows, and which of them each environment serves."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BATCH = 500
# The fields of a definition with their defaults; copied, as they may change and this may not.
DEFAULTS: dict[str, dict[str, Any]] = {
    "workflows": {"steps": []},
    "agents": {
        "prompt": "",
        "prompt_ref": None,
        "provider": "mock",
        "model": "",
        "fallbacks": [],
        "parameters": {},
        "tools": [],
        "max_steps": 8,
        "output_schema": None,
        "window_messages": 40,
        "window_tokens": 8000,
    },
}
JSON_FIELDS = {"steps", "prompt_ref", "fallbacks", "parameters", "tools", "output_schema"}


def upgrade() -> None:
    _add_tables()
    for name, defaults in DEFAULTS.items():
        _extend(name, defaults)


def _add_tables() -> None:
    op.create_table(
        "definition_versions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _workspace("definition_versions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definition_versions")),
        sa.UniqueConstraint(
            "resource_id", "number", name=op.f("uq_definition_versions_resource_id_number")
        ),
    )
    op.create_index(
        "ix_definition_versions_content", "definition_versions", ["resource_id", "content_hash"]
    )
    op.create_table(
        "served_definitions",
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("env", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("version_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _workspace("served_definitions"),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["definition_versions.id"],
            name=op.f("fk_served_definitions_version_id"),
        ),
        sa.PrimaryKeyConstraint("resource_id", "env", name=op.f("pk_served_definitions")),
    )
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "definition_history",
        sa.Column("id", serial, nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("env", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("previous_version", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _workspace("definition_history"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definition_history")),
    )
    op.create_index("ix_definition_history_newest", "definition_history", ["resource_id", "id"])
    for table in ("definition_versions", "served_definitions", "definition_history"):
        op.create_index(op.f(f"ix_{table}_workspace_id"), table, ["workspace_id"])


def _workspace(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id"], ["workspaces.id"], name=op.f(f"fk_{table}_workspace_id")
    )


def _extend(name: str, defaults: dict[str, Any]) -> None:
    """Count the edits of what there is, and name its definition by a hash."""
    for column in (
        sa.Column("revision", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("content_hash", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("updated_by", sa.String(length=200), nullable=False, server_default=""),
    ):
        op.add_column(name, column)
    connection, last = op.get_bind(), ""
    types = {field: sa.JSON() if field in JSON_FIELDS else None for field in defaults}
    columns = [sa.column(field, type_) for field, type_ in types.items()]
    table = sa.table(name, *map(sa.column, ("id", "version", "revision", "content_hash")), *columns)
    query = sa.select(table.c.id, *(table.c[field] for field in defaults)).order_by(table.c.id)
    while rows := connection.execute(query.where(table.c.id > last).limit(BATCH)).all():
        last = rows[-1].id
        for row in rows:
            content = {field: getattr(row, field) for field in defaults}
            connection.execute(
                sa.update(table)
                .where(table.c.id == row.id)
                .values(content_hash=_content_hash(content, defaults), revision=table.c.version)
            )


def _content_hash(content: dict[str, Any], defaults: dict[str, Any]) -> str:
    """The rule is copied: it may change, this may not."""
    own = {
        field: value
        for field, value in sorted(content.items())
        if _exact(value) != _exact(defaults[field])
    }
    return hashlib.sha256(_exact(own).encode()).hexdigest()


def _exact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
