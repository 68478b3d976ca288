"""The table behind the console's list of prompts."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime

# Sorted byte by byte, independent of the database's locale.
SortedKey = String(200).with_variant(String(200, collation="C"), "postgresql")


class PromptSummaryRow(Table):
    """What a list shows of a prompt in one environment, without its texts.

    A separate table, because a list by key reads all prompts of a workspace, and the columns of
    `prompts` are far apart because of the contents between them. The hashes are those of the
    working copy and of the published version: they differ while the draft has unpublished changes.
    """

    __tablename__ = "prompt_summaries"
    __table_args__ = (Index("ix_prompt_summaries_key", "workspace_id", "key", "env"),)

    prompt_id: Mapped[str] = mapped_column(
        ForeignKey("prompts.id", ondelete="CASCADE"), primary_key=True
    )
    workspace_id: Mapped[str] = mapped_column(Id)
    key: Mapped[str] = mapped_column(SortedKey)
    env: Mapped[str] = mapped_column(String(64))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(200))
    draft_hash: Mapped[str] = mapped_column(String(64))
    published_hash: Mapped[str | None] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    published_version: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
