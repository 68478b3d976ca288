"""The table of schedules."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime

KIND = "schedule"


class ScheduleRow(Table):
    """When a definition runs automatically. Exactly one of `cron`, `interval_seconds` and `rrule`
    is set, and exactly one of `version` and `env`."""

    __tablename__ = "schedules"
    __table_args__ = (UniqueConstraint("workspace_id", "key"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    # `agent` or `workflow`; by key, because a definition may be deleted and created again.
    target_kind: Mapped[str] = mapped_column(String(16))
    target_key: Mapped[str] = mapped_column(String(200))
    version: Mapped[int | None]
    env: Mapped[str | None] = mapped_column(String(64))
    cron: Mapped[str | None] = mapped_column(String(200))
    interval_seconds: Mapped[float | None]
    rrule: Mapped[str | None] = mapped_column(Text)
    timezone: Mapped[str] = mapped_column(String(64))
    # The start of the intervals.
    anchor: Mapped[datetime] = mapped_column(UtcDateTime)
    variables: Mapped[dict[str, Any]] = mapped_column(JSON)
    paused: Mapped[bool]
    catch_up: Mapped[str] = mapped_column(String(8))
    overlap: Mapped[str] = mapped_column(String(8))
    # Why the last due time did not start a run; empty if it did.
    problem: Mapped[str] = mapped_column(Text)
    # Times until here have been decided about, or don't count.
    settled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Counts edits, for optimistic locking.
    revision: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(200))
    updated_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
