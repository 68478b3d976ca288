"""Tables of approvals and their links."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class ApprovalRow(Table):
    """An approval step of a run. `state` is one of `approvals.schemas.State`; `message` is the
    storable form of the message, and `sealed` is the full message if that differs, while the
    approval waits."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index("uq_approvals_run_id", "run_id", "position", unique=True),
        Index("ix_approvals_workspace", "workspace_id", "state", "created_at", "id"),
        Index("ix_approvals_state", "state", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    workspace_id: Mapped[str] = mapped_column(Id)
    workflow: Mapped[str] = mapped_column(String(200))
    step: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(String(200))
    # Which API keys that are limited to environments can see it; see `access.scopes`.
    scope: Mapped[str | None] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16))
    message: Mapped[str | None] = mapped_column(Text)
    sealed: Mapped[str | None] = mapped_column(Text)
    form: Mapped[dict[str, Any]] = mapped_column(JSON)
    roles: Mapped[list[str]] = mapped_column(JSON)
    members: Mapped[list[str]] = mapped_column(JSON)
    allow_link: Mapped[bool]
    on_deadline: Mapped[str] = mapped_column(String(16))
    deadline_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Seconds after which reminders are sent, and how many of them have passed.
    reminders: Mapped[list[float]] = mapped_column(JSON)
    reminded: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(200))
    comment: Mapped[str | None] = mapped_column(Text)
    # Null if they are not stored.
    answers: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ApprovalLinkRow(Table):
    """The holder of its token decides once, until it expires."""

    __tablename__ = "approval_links"
    __table_args__ = (Index("ix_approval_links_approval_id", "approval_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    approval_id: Mapped[str] = mapped_column(ForeignKey("approvals.id", ondelete="CASCADE"))
    made_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
