"""Workspaces on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from promptops_platform.db.tables import WorkspaceRow
from promptops_platform.text import Line, OptionalLabel


class WorkspaceCreate(BaseModel):
    name: Line
    slug: OptionalLabel = None


class Workspace(BaseModel):
    id: str
    name: str
    slug: str
    created_at: datetime

    @classmethod
    def of(cls, row: WorkspaceRow) -> Self:
        return cls(id=row.id, name=row.name, slug=row.slug, created_at=row.created_at)
