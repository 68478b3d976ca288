"""The columns that agents and workflows share."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.types import UtcDateTime


class DefinitionColumns:
    """A working copy of a definition; its own columns are the definition itself."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    # Counts the edits of the definition; Prefect shows it as the flow's version.
    version: Mapped[int]
    # Counts all edits, for editors who say which one they have seen.
    revision: Mapped[int]
    # Of the definition, as versions have it.
    content_hash: Mapped[str] = mapped_column(String(64))
    updated_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
