"""Tables of agents and their conversations."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime
from promptops_platform.definitions.columns import DefinitionColumns


class AgentRow(DefinitionColumns, Table):
    __tablename__ = "agents"
    __table_args__ = (UniqueConstraint("workspace_id", "key"),)

    prompt: Mapped[str] = mapped_column(Text)
    # Key and environment of a prompt, and possibly a version; used instead of the text.
    prompt_ref: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    provider: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(Text)
    fallbacks: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    tools: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    max_steps: Mapped[int]
    output_schema: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    window_messages: Mapped[int]
    window_tokens: Mapped[int]
    # The work pool whose workers execute its runs; empty for the platform's own engine.
    pool: Mapped[str] = mapped_column(String(63))


class ConversationRow(Table):
    """A conversation with an agent; `name` is the id that its callers chose."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("agent_id", "name"),
        Index("ix_conversations_newest", "agent_id", "updated_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    # The number of messages, and so the position of the next one. A conversation without any does
    # not exist yet.
    messages: Mapped[int]
    # The last run that claimed it; while that run is in progress, no other run can.
    run_id: Mapped[str] = mapped_column(Id)
    # The combined scope of all runs that have added to it; see `access.scopes`.
    scope: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConversationMessageRow(Table):
    """A message of a conversation; `position` counts from 0."""

    __tablename__ = "conversation_messages"
    __table_args__ = (
        Index(
            "ix_conversation_messages_sealed",
            "conversation_id",
            "position",
            sqlite_where=text("sealed IS NOT NULL"),
            postgresql_where=text("sealed IS NOT NULL"),
        ),
    )

    conversation_id: Mapped[str] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    run_id: Mapped[str] = mapped_column(Id)
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    # For the assistant: id, name and arguments of each call.
    tool_calls: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    # For a tool's result: the id of its call.
    tool_call_id: Mapped[str] = mapped_column(Text)
    vendor_data: Mapped[dict[str, Any]] = mapped_column(JSON)
    # The whole turn if its texts may not be stored in plain form; the columns above are empty then.
    sealed: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
