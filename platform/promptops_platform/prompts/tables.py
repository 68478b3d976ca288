"""The tables of prompts, their versions and their search."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Serial, Table
from promptops_platform.db.types import UtcDateTime

# Compared byte by byte, whatever the database's locale; SQLite does so by itself.
FoldedText = Text().with_variant(Text(collation="C"), "postgresql")


class PromptRow(Table):
    """The working copy of a prompt in one environment, and what of it is published."""

    __tablename__ = "prompts"
    # The indexes are in the order of a list, and hold what a list tests as well.
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
    # `text`, or `chat`: then `messages` holds role and content of each, and `content` their texts.
    kind: Mapped[str] = mapped_column(String(8))
    messages: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Counts the saved changes of the row, for editors who say which one they have seen.
    revision: Mapped[int]
    updated_by: Mapped[str] = mapped_column(String(200))
    # A plain id: a foreign key would be circular, and versions are never deleted alone.
    published_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PromptSearchRow(Table):
    """A prompt as search sees it: its folded texts, and what search tests and sorts by.

    A table of its own, so that a publish does not write the texts' index anew and loading a prompt
    does not load them. `text` holds key, name and content, one a line. Its index is made in the
    migrations: FTS5 on SQLite, GIN on PostgreSQL.
    """

    __tablename__ = "prompt_search"

    # SQLite's index names rows by this number; a hidden row number would change with VACUUM.
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
    """A tag of a prompt, folded and without blanks, and what a list by tag tests and sorts by."""

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
    # Null where it is too long for the index.
    category: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PromptVersionRow(Table):
    """A published version; never changed."""

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
    """A move of what a prompt serves: of its published pointer or of its rollout."""

    __tablename__ = "prompt_history"

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), index=True)
    action: Mapped[str] = mapped_column(String(32))
    env: Mapped[str] = mapped_column(String(64))
    version: Mapped[str | None] = mapped_column(String(64))
    previous_version: Mapped[str | None] = mapped_column(String(64))
    # The rollout's variants from now on; null while there is none.
    variants: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    note: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
