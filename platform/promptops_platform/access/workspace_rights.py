"""What access reads of workspaces and their members, whose tables belong to a room above this
one."""

from typing import NamedTuple

from sqlalchemy import Boolean, column, table

from promptops_platform.db.tables import Id
from promptops_platform.db.types import UtcDateTime

WORKSPACES = table(
    "workspaces",
    column("id", Id),
    column("slug"),
    column("visibility"),
    column("implicit_lookup", Boolean),
    column("created_at", UtcDateTime()),
)
MEMBERS = table(
    "workspace_members", column("workspace_id", Id), column("user_id", Id), column("role")
)


class WorkspaceRights(NamedTuple):
    """Who may see a workspace."""

    id: str
    slug: str
    visibility: str
    implicit_lookup: bool
