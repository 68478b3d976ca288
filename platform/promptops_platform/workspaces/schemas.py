"""Workspaces on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from promptops_platform.access.permissions import Role
from promptops_platform.http.envelope import Resource
from promptops_platform.text import Label, Name, OptionalSlug

MOST_ENVIRONMENTS = 50

Visibility = Literal["open", "restricted"]
# The scope `sdk` is for API keys.
MemberRole = Literal[Role.VIEWER, Role.EDITOR, Role.ADMIN]


class WorkspaceCreate(BaseModel):
    """A new workspace; a restricted one has its maker as first member, with role `admin`."""

    name: Name
    slug: OptionalSlug = None
    visibility: Visibility = "open"


class WorkspaceUpdate(BaseModel):
    """What may be changed; a field that is absent or null stays as it is, so does an empty slug."""

    name: Name | None = None
    slug: OptionalSlug = None
    visibility: Visibility | None = None


class Workspace(Resource):
    """`role` is the caller's own in it."""

    id: str
    name: str
    slug: str
    created_at: datetime
    visibility: Visibility
    role: Role


class MemberUpdate(BaseModel):
    role: MemberRole


class Member(Resource):
    """A user with a role in one workspace; `id` is the user's, `created_at` the time of the
    entry."""

    id: str
    username: str
    role: Role
    created_at: datetime


class EnvironmentItem(BaseModel):
    """Without `protected` an environment stays as it is; a new one isn't protected."""

    name: Label
    protected: bool | None = None


class EnvironmentsUpdate(BaseModel):
    """All environments in their order."""

    environments: list[EnvironmentItem] = Field(max_length=MOST_ENVIRONMENTS)


class Environment(Resource):
    """`position` counts from 0. What a protected environment serves is changed by admins only."""

    name: str
    position: int
    protected: bool
