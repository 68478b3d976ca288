"""The columns that agents and workflows share."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, validates

from promptops_platform.db.search import tags_in
from promptops_platform.db.types import UtcDateTime


class DefinitionColumns:
    """A working copy of a definition; subclasses add the columns of the definition itself."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    # Comma-separated, as they were sent.
    tags: Mapped[str] = mapped_column(Text)
    # The same as search and triggers compare them: folded, with a comma before and after each.
    folded_tags: Mapped[str] = mapped_column(Text)
    # Counts the edits of the definition; Prefect shows it as the flow's version.
    version: Mapped[int]
    # Counts all edits; an editor sends the revision that it has read.
    revision: Mapped[int]
    # The hash of the definition, as in its versions.
    content_hash: Mapped[str] = mapped_column(String(64))
    updated_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    @validates("tags")
    def _fold_tags(self, _name: str, listed: str) -> str:
        self.folded_tags = bounded_tags(listed)
        return listed


def bounded_tags(listed: str) -> str:
    """The tags of a comma-separated list, folded, with a comma before and after each: `,a,b,`."""
    tags = tags_in(listed)
    return f",{','.join(tags)}," if tags else ""
