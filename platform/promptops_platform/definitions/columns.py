"""The columns that agents and workflows share."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.types import UtcDateTime


class DefinitionColumns:
    """A working copy of a definition; subclasses add the columns of the definition itself."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    # Counts the edits of the definition; Prefect shows it as the flow's version.
    version: Mapped[int]
    # Counts all edits; an editor sends the revision that it has read.
    revision: Mapped[int]
    # The hash of the definition, as in its versions.
    content_hash: Mapped[str] = mapped_column(String(64))
    updated_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
