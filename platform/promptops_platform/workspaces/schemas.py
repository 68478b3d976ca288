"""Workspaces on the wire."""

from datetime import datetime

from pydantic import BaseModel

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.text import Name, OptionalSlug


class WorkspaceCreate(BaseModel):
    model_config = example(name="Support team", slug="support")

    name: Name
    slug: OptionalSlug = None


class Workspace(Resource):
    model_config = example(
        id="1d2c3b4e5f60717a",
        name="Support team",
        slug="support",
        created_at="2026-03-14T09:26:53.589793Z",
    )

    id: str
    name: str
    slug: str
    created_at: datetime
