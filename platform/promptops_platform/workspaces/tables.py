"""Tables of workspaces, their members and their environments."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class WorkspaceRow(Table):
    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    visibility: Mapped[str] = mapped_column(String(16))
    # Whether fetches and watches that name no workspace find its prompts.
    implicit_lookup: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MemberRow(Table):
    """A user's role in one workspace."""

    __tablename__ = "workspace_members"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EnvironmentRow(Table):
    """An environment of a workspace; `position` orders them, from 0.

    `approvals` is how many others must approve a change of what it serves; with `allow_bypass`, an
    admin may apply a change without them, giving a reason.
    """

    __tablename__ = "environments"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    protected: Mapped[bool]
    approvals: Mapped[int] = mapped_column(default=0)
    allow_bypass: Mapped[bool] = mapped_column(default=False)
