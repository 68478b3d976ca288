"""The tables of versions of definitions, and of what environments serve and have served."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Serial, Table
from promptops_platform.db.types import UtcDateTime

# `resource_id` is the id of an agent or of a workflow, so it can't be a foreign key; the rows are
# deleted together with their definition.


class DefinitionVersionRow(Table):
    """A version; immutable. Numbers are those of the draft's edits and may have gaps."""

    __tablename__ = "definition_versions"
    __table_args__ = (
        UniqueConstraint("resource_id", "number"),
        Index("ix_definition_versions_content", "resource_id", "content_hash"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    resource_id: Mapped[str] = mapped_column(Id)
    number: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    content_hash: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ServedDefinitionRow(Table):
    """The version that an environment serves; without a row, it serves none."""

    __tablename__ = "served_definitions"

    resource_id: Mapped[str] = mapped_column(Id, primary_key=True)
    env: Mapped[str] = mapped_column(String(64), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("definition_versions.id"))
    number: Mapped[int]


class DefinitionMoveRow(Table):
    """A change of what an environment serves."""

    __tablename__ = "definition_history"
    __table_args__ = (Index("ix_definition_history_newest", "resource_id", "id"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    resource_id: Mapped[str] = mapped_column(Id)
    action: Mapped[str] = mapped_column(String(32))
    env: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    previous_version: Mapped[int | None]
    note: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
