"""Search in prompts and pages of the audit trail."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from promptops_platform.db.types import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH = 500
LONGEST_TAG = 200
LONGEST_CATEGORY = 300

POSTGRES = (
    # All runs of three characters. COLLATE: bytes are compared faster than letters of a language.
    """CREATE FUNCTION promptops_trigrams(value text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
      SELECT coalesce(array_agg(DISTINCT trigram COLLATE "C"), '{}') FROM (
        SELECT letter || lead(letter, 1) OVER following || lead(letter, 2) OVER following AS trigram
        FROM unnest(string_to_array(value, NULL)) WITH ORDINALITY AS letters (letter, place)
        WINDOW following AS (ORDER BY place)
      ) AS trigrams WHERE trigram IS NOT NULL
    $$""",
    # Without a pending list, which each search would have to read through.
    """CREATE INDEX ix_prompt_search_trigrams ON prompt_search
    USING gin (promptops_trigrams(text)) WITH (fastupdate = off)""",
)
# It keeps no text of its own, no places within a text and no lengths: `instr` has the last word.
SQLITE = (
    """CREATE VIRTUAL TABLE prompt_trigrams USING fts5(
      text, content='prompt_search', content_rowid='id', detail='none', columnsize=0,
      tokenize='trigram case_sensitive 1')""",
    "INSERT INTO prompt_trigrams (prompt_trigrams) VALUES ('rebuild')",
    """CREATE TRIGGER prompt_search_added AFTER INSERT ON prompt_search BEGIN
      INSERT INTO prompt_trigrams (rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER prompt_search_removed AFTER DELETE ON prompt_search BEGIN
      INSERT INTO prompt_trigrams (prompt_trigrams, rowid, text)
      VALUES ('delete', old.id, old.text);
    END""",
    """CREATE TRIGGER prompt_search_changed AFTER UPDATE OF text ON prompt_search BEGIN
      INSERT INTO prompt_trigrams (prompt_trigrams, rowid, text)
      VALUES ('delete', old.id, old.text);
      INSERT INTO prompt_trigrams (rowid, text) VALUES (new.id, new.text);
    END""",
)


def upgrade() -> None:
    _tables()
    _fill()
    # Over what is there at once: one by one it takes many times as long.
    _indexes()
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)


def _tables() -> None:
    folded = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "prompt_search",
        sa.Column("id", serial, nullable=False),
        sa.Column("prompt_id", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("env", sa.String(length=64), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("text", folded, nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["prompts.id"],
            name=op.f("fk_prompt_search_prompt_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_search")),
        sa.UniqueConstraint("prompt_id", name=op.f("uq_prompt_search_prompt_id")),
    )
    op.create_table(
        "prompt_tags",
        sa.Column("prompt_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("env", sa.String(length=64), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["prompts.id"],
            name=op.f("fk_prompt_tags_prompt_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("prompt_id", "tag", name=op.f("pk_prompt_tags")),
    )


def _indexes() -> None:
    op.drop_index("ix_prompts_updated_at", table_name="prompts")
    newest = ["updated_at", "id", "workspace_id"]
    op.create_index("ix_prompts_newest", "prompts", newest)
    op.create_index("ix_prompts_workspace", "prompts", ["workspace_id", "updated_at", "id"])
    op.create_index("ix_prompts_env", "prompts", ["env", *newest])
    op.create_index("ix_prompts_category", "prompts", ["category", *newest, "env"])
    op.create_index(
        "ix_prompt_tags_newest",
        "prompt_tags",
        ["tag", "updated_at", "prompt_id", "workspace_id", "env", "category"],
    )
    newest = ["created_at", "id", "workspace_id"]
    op.create_index("ix_audit_entries_newest", "audit_entries", newest)
    op.create_index(
        "ix_audit_entries_workspace", "audit_entries", ["workspace_id", "created_at", "id"]
    )
    for name in ("actor", "action", "resource", "resource_id", "key", "request_id"):
        op.create_index(f"ix_audit_entries_{name}", "audit_entries", [name, *newest])


def _fill() -> None:
    """Enter the prompts that are there. The rules are copied: they may change, this may not."""
    connection = op.get_bind()
    names = ("workspace_id", "env", "category", "updated_at", "key", "name", "content", "tags")
    prompts = sa.table("prompts", sa.column("id"), *(sa.column(name) for name in names))
    prompts.c.updated_at.type = UtcDateTime()
    search = sa.table("prompt_search", *map(sa.column, ("prompt_id", "text", *names[:4])))
    tag_names = ("prompt_id", "tag", "workspace_id", "env", "category")
    tags = sa.table("prompt_tags", *map(sa.column, tag_names))
    search.c.updated_at.type = UtcDateTime()
    tags.append_column(sa.column("updated_at", UtcDateTime()))
    last = ""
    while True:
        query = sa.select(prompts).where(prompts.c.id > last).order_by(prompts.c.id).limit(BATCH)
        rows = connection.execute(query).all()
        if not rows:
            return
        last = rows[-1].id
        connection.execute(sa.insert(search), [_searched(row) for row in rows])
        tagged = [tag for row in rows for tag in _tagged(row)]
        if tagged:
            connection.execute(sa.insert(tags), tagged)


def _searched(row: sa.Row[Any]) -> dict[str, object]:
    return {
        "prompt_id": row.id,
        "text": f"{row.key}\n{row.name}\n{row.content}".casefold(),
        "workspace_id": row.workspace_id,
        "env": row.env,
        "category": row.category,
        "updated_at": row.updated_at,
    }


def _tagged(row: sa.Row[Any]) -> list[dict[str, object]]:
    names = "".join(row.tags.split()).casefold().split(",")
    shared = {
        "prompt_id": row.id,
        "workspace_id": row.workspace_id,
        "env": row.env,
        "category": row.category if len(row.category) <= LONGEST_CATEGORY else None,
        "updated_at": row.updated_at,
    }
    return [{"tag": tag, **shared} for tag in {name[:LONGEST_TAG] for name in names if name}]
