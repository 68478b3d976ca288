"""Workspaces on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.text import Name, OptionalSlug

Visibility = Literal["open", "restricted"]


class WorkspaceCreate(BaseModel):
    """A new workspace; a restricted one has its maker as first member, with role `admin`."""

    model_config = example(name="Support team", slug="support")

    name: Name
    slug: OptionalSlug = None
    visibility: Visibility = "open"


class Workspace(Resource):
    model_config = example(
        id="1d2c3b4e5f60717a",
        name="Support team",
        slug="support",
        created_at="2026-03-14T09:26:53.589793Z",
        visibility="open",
    )

    id: str
    name: str
    slug: str
    created_at: datetime
    visibility: Visibility
