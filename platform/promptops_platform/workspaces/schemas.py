"""Workspaces on the wire."""

from datetime import datetime

from pydantic import BaseModel

from promptops_platform.http.envelope import Resource
from promptops_platform.text import Name, OptionalSlug


class WorkspaceCreate(BaseModel):
    name: Name
    slug: OptionalSlug = None


class Workspace(Resource):
    id: str
    name: str
    slug: str
    created_at: datetime
