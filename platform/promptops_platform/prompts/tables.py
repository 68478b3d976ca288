"""The tables of prompts, their versions and their search."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Serial, Table
from promptops_platform.db.types import UtcDateTime

# Compared byte by byte, independent of the database's locale; SQLite does so by default.
FoldedText = Text().with_variant(Text(collation="C"), "postgresql")


class PromptRow(Table):
    """The working copy of a prompt in one environment, and its published version."""

    __tablename__ = "prompts"
    # The indexes are in the order of a list, and contain the columns that a list filters by.
    __table_args__ = (
        UniqueConstraint("workspace_id", "env", "key"),
        Index("ix_prompts_newest", "updated_at", "id", "workspace_id"),
        Index("ix_prompts_workspace", "workspace_id", "updated_at", "id"),
        Index("ix_prompts_env", "env", "updated_at", "id", "workspace_id"),
        Index("ix_prompts_category", "category", "updated_at", "id", "workspace_id", "env"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(String(64))
    env: Mapped[str] = mapped_column(String(64))
    category: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    # `text` or `chat`. For a chat, `messages` contains the messages and `content` their texts.
    kind: Mapped[str] = mapped_column(String(8))
    messages: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Counts the saved changes of the row; an editor sends the revision that it has read.
    revision: Mapped[int]
    updated_by: Mapped[str] = mapped_column(String(200))
    # Not a foreign key, which would be circular; versions are deleted only with their prompt.
    published_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PromptSearchRow(Table):
    """The searchable form of a prompt: its folded texts, and the columns that search filters and
    sorts by.

    A separate table, so that a publish does not rewrite the text index and loading a prompt does
    not load the texts. `text` contains key, name and content, one per line. Migrations create its
    index: FTS5 on SQLite, GIN on PostgreSQL.
    """

    __tablename__ = "prompt_search"

    # SQLite's index refers to rows by this number; the implicit rowid would change with VACUUM.
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(
        ForeignKey("prompts.id", ondelete="CASCADE"), unique=True
    )
    workspace_id: Mapped[str] = mapped_column(Id)
    env: Mapped[str] = mapped_column(String(64))
    category: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(FoldedText)


class PromptTagRow(Table):
    """A tag of a prompt, folded and without spaces, and what a list by tag filters and sorts by."""

    __tablename__ = "prompt_tags"
    __table_args__ = (
        Index(
            "ix_prompt_tags_newest",
            *("tag", "updated_at", "prompt_id", "workspace_id", "env", "category"),
        ),
    )

    prompt_id: Mapped[str] = mapped_column(
        ForeignKey("prompts.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id)
    env: Mapped[str] = mapped_column(String(64))
    # Null if it is too long for the index.
    category: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PromptVersionRow(Table):
    """A version; immutable."""

    __tablename__ = "prompt_versions"
    __table_args__ = (UniqueConstraint("prompt_id", "version"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(64))
    env: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(8))
    messages: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ServedMoveRow(Table):
    """A change of what a prompt serves: of its published version or of its rollout."""

    __tablename__ = "prompt_history"

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), index=True)
    action: Mapped[str] = mapped_column(String(32))
    env: Mapped[str] = mapped_column(String(64))
    version: Mapped[str | None] = mapped_column(String(64))
    previous_version: Mapped[str | None] = mapped_column(String(64))
    # The rollout's variants after this change; null without a rollout.
    variants: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    note: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
