"""Workspaces on the wire."""

from datetime import datetime

from pydantic import BaseModel

from promptops_platform.http.envelope import Resource
from promptops_platform.text import Line, OptionalLabel


class WorkspaceCreate(BaseModel):
    name: Line
    slug: OptionalLabel = None


class Workspace(Resource):
    id: str
    name: str
    slug: str
    created_at: datetime
