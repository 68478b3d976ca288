"""Tables of the audit trail."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Serial, Table
from promptops_platform.db.types import UtcDateTime


class AuditRow(Table):
    """Who changed what, and when."""

    __tablename__ = "audit_entries"
    # Each filter's index is in the order of the page, so that a page never sorts, and ends with the
    # column that every page filters by.
    __table_args__ = (
        Index("ix_audit_entries_newest", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_workspace", "workspace_id", "created_at", "id"),
        Index("ix_audit_entries_actor", "actor", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_action", "action", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_resource", "resource", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_resource_id", "resource_id", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_key", "key", "created_at", "id", "workspace_id"),
        Index("ix_audit_entries_request_id", "request_id", "created_at", "id", "workspace_id"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    workspace_id: Mapped[str | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(String(200))
    actor_kind: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(32))
    resource: Mapped[str] = mapped_column(String(32))
    resource_id: Mapped[str] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditCountRow(Table):
    """How many audit entries a workspace has, so that they needn't be counted; the scope is its id,
    empty for entries without a workspace."""

    __tablename__ = "audit_counts"

    scope: Mapped[str] = mapped_column(Id, primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
