"""Workspaces on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from promptops_platform.http.envelope import Resource
from promptops_platform.text import Name, OptionalSlug

Visibility = Literal["open", "restricted"]


class WorkspaceCreate(BaseModel):
    """A new workspace; a restricted one has its maker as first member, with role `admin`."""

    name: Name
    slug: OptionalSlug = None
    visibility: Visibility = "open"


class Workspace(Resource):
    id: str
    name: str
    slug: str
    created_at: datetime
    visibility: Visibility
