"""Requests and responses of workspaces."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from promptops_platform.access.permissions import Role
from promptops_platform.field_types import Label, OptionalSlug, RequiredName
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example

Visibility = Literal["open", "restricted"]
# The scope `sdk` is for API keys only.
MemberRole = Literal[Role.VIEWER, Role.EDITOR, Role.ADMIN]
MOST_APPROVALS = 10
Approvals = Annotated[
    int,
    Field(
        ge=0,
        le=MOST_APPROVALS,
        description="How many others than the author must approve a change of what is served "
        "there; with 0 changes take effect at once.",
    ),
]


class WorkspaceCreate(BaseModel):
    """A new workspace. Whoever creates a restricted one becomes its first member, with the role
    `admin`."""

    model_config = example(name="Support team", slug="support")

    name: RequiredName
    slug: OptionalSlug = None
    visibility: Visibility = "open"
    implicit_lookup: bool | None = Field(
        default=None,
        description="Whether a fetch or watch that names no workspace finds prompts of this one. "
        "Only global admins may set it; by default it is true for workspaces that they create.",
    )


class WorkspaceUpdate(BaseModel):
    """An edit. Fields that are absent or null keep their value; so does an empty slug."""

    model_config = example(name="Customer support", visibility="restricted")

    name: RequiredName | None = None
    slug: OptionalSlug = None
    visibility: Visibility | None = None
    implicit_lookup: bool | None = Field(
        default=None,
        description="Whether a fetch or watch that names no workspace finds prompts of this one; "
        "only global admins may change it.",
    )


class Workspace(Resource):
    """A workspace. `role` is your role in it. With `implicit_lookup`, a fetch or watch that
    names no workspace finds its prompts."""

    model_config = example(
        id="1d2c3b4e5f60717a",
        name="Support team",
        slug="support",
        created_at="2026-03-14T09:26:53.589793Z",
        visibility="open",
        role="admin",
        implicit_lookup=True,
    )

    id: str
    name: str
    slug: str
    created_at: datetime
    visibility: Visibility
    role: Role
    implicit_lookup: bool


class MemberUpdate(BaseModel):
    model_config = example(role="editor")

    role: MemberRole


class Member(Resource):
    """A user with a role in one workspace; `id` is the user's, `created_at` the time of the
    entry."""

    model_config = example(
        id="0f3c5d7e9a3f2a1c",
        username="ada",
        role="editor",
        created_at="2026-03-14T09:26:53.589793Z",
    )

    id: str
    username: str
    role: Role
    created_at: datetime


class EnvironmentItem(BaseModel):
    """An environment. Settings that are absent or null keep their value; a new environment has
    none."""

    name: Label
    protected: bool | None = None
    approvals: Approvals | None = None
    allow_bypass: bool | None = Field(
        default=None,
        description="Whether an admin may apply a change request without its approvals, giving a "
        "reason.",
    )


class EnvironmentsUpdate(BaseModel):
    """All environments in their order. More than 50 stay if they exist, but none is added then."""

    model_config = example(
        environments=[{"name": "dev"}, {"name": "prod", "protected": True, "approvals": 2}]
    )

    environments: list[EnvironmentItem]


class Environment(Resource):
    """An environment. `position` counts from 0. Only admins change what a protected environment
    serves."""

    model_config = example(name="prod", position=2, protected=True, approvals=2, allow_bypass=False)

    name: str
    position: int
    protected: bool
    approvals: int = Field(
        description="How many others must approve a change of what is served there."
    )
    allow_bypass: bool = Field(
        description="Whether an admin may apply a change request without its approvals."
    )
