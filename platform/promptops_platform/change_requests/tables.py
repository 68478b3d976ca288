"""Tables of change requests, their approvals and their events."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Serial, Table
from promptops_platform.db.types import UtcDateTime

# The kind of the timers that apply requests.
TIMER = "change_request"
OPEN, APPLIED, REJECTED, WITHDRAWN = "open", "applied", "rejected", "withdrawn"


class ChangeRequestRow(Table):
    """A proposed change of what an environment serves.

    `resource_id` is the resource of the order, a promotion's source; it is not a foreign key,
    because a request outlives its prompt. `base` is what the proposal is based on, `before` and
    `after` are what is served without and with it. `author_id` is the proposer's `Actor.caller_id`.
    """

    __tablename__ = "change_requests"
    __table_args__ = (
        Index("ix_change_requests_state", "state", "id"),
        Index("ix_change_requests_resource", "resource_id", "state"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(32))
    resource_id: Mapped[str] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(200))
    env: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    base: Mapped[dict[str, Any]] = mapped_column(JSON)
    before_version: Mapped[str | None] = mapped_column(String(64))
    after_version: Mapped[str | None] = mapped_column(String(64))
    # Whole contents, which lists don't show.
    before: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    after: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    # Other environments that the contents come from or refer to.
    refers_to: Mapped[list[str]] = mapped_column(JSON)
    author: Mapped[str] = mapped_column(String(200))
    author_id: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    apply_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bypassed: Mapped[bool]
    closed_by: Mapped[str | None] = mapped_column(String(200))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ChangeRequestApprovalRow(Table):
    """A person's approval of a request as it is; a refresh deletes it."""

    __tablename__ = "change_request_approvals"

    request_id: Mapped[str] = mapped_column(
        ForeignKey("change_requests.id", ondelete="CASCADE"), primary_key=True
    )
    # Not a foreign key: it still counts if the account is deleted.
    user_id: Mapped[str] = mapped_column(Id, primary_key=True)
    username: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ChangeRequestEventRow(Table):
    """Something that happened to a request: an action with its comment, or only a comment."""

    __tablename__ = "change_request_events"
    __table_args__ = (Index("ix_change_request_events_request", "request_id", "id"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("change_requests.id", ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(String(16))
    comment: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
