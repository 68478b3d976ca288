"""What a list shows of each prompt, without its texts."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BATCH = 500
COPIED = (
    *("workspace_id", "key", "env", "updated_at", "updated_by"),
    *("version", "name", "category", "tags", "model"),
)


def upgrade() -> None:
    key = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
    op.create_table(
        "prompt_summaries",
        sa.Column("prompt_id", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("env", sa.String(length=64), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=200), nullable=False),
        sa.Column("draft_hash", sa.String(length=64), nullable=False),
        sa.Column("published_hash", sa.String(length=64), nullable=True),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("published_version", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["prompts.id"],
            name=op.f("fk_prompt_summaries_prompt_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("prompt_id", name=op.f("pk_prompt_summaries")),
    )
    _fill()
    op.create_index("ix_prompt_summaries_key", "prompt_summaries", ["workspace_id", "key", "env"])


def _fill() -> None:
    """Enter the prompts that are there."""
    connection, last = op.get_bind(), ""
    prompts = _table("prompts", "id", "published_id", *COPIED, "content", "kind")
    for name in ("messages", "config"):
        prompts.append_column(sa.column(name, sa.JSON()))
    versions = sa.table("prompt_versions", *map(sa.column, ("id", "version", "content_hash")))
    summaries = _table("prompt_summaries", "prompt_id", *COPIED)
    for name in ("draft_hash", "published_hash", "published_version"):
        summaries.append_column(sa.column(name))
    query = sa.select(
        prompts, versions.c.version.label("published_version"), versions.c.content_hash
    ).outerjoin(versions, versions.c.id == prompts.c.published_id)
    query = query.order_by(prompts.c.id).limit(BATCH)
    while rows := connection.execute(query.where(prompts.c.id > last)).all():
        last = rows[-1].id
        connection.execute(sa.insert(summaries), [_summary(row) for row in rows])


def _table(name: str, *columns: str) -> sa.TableClause:
    table = sa.table(name, *map(sa.column, columns))
    table.c.updated_at.type = UtcDateTime()
    return table


def _summary(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "prompt_id": row.id,
        **{name: getattr(row, name) for name in COPIED},
        "draft_hash": _content_hash(row),
        "published_hash": row.content_hash,
        "published_version": row.published_version,
    }


def _content_hash(row: sa.Row[Any]) -> str:
    """The rule is copied: it may change, this may not."""
    served: dict[str, Any] = {"content": row.content, "model": row.model}
    if row.kind != "text":
        served |= {"kind": row.kind, "messages": row.messages}
    if row.config:
        served["config"] = json.dumps(row.config, ensure_ascii=False)
    text = json.dumps(served, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
