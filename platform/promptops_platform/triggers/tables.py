"""Tables of triggers and firings."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class TriggerRow(Table):
    """What starts a run or a delivery. `condition` and `action` are stored in the form of the API:
    `on`, and `run` or `deliver`."""

    __tablename__ = "triggers"
    __table_args__ = (UniqueConstraint("workspace_id", "key"), UniqueConstraint("hook"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    key: Mapped[str] = mapped_column(String(200))
    enabled: Mapped[bool]
    condition: Mapped[dict[str, Any]] = mapped_column(JSON)
    action: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Why the platform stopped it; null if it did not.
    stopped_because: Mapped[str | None] = mapped_column(Text)
    # The last part of an inbound webhook's address.
    hook: Mapped[str | None] = mapped_column(String(64))
    # Signs or verifies messages; encrypted, for this row only.
    sealed_secret: Mapped[str | None] = mapped_column(Text)
    # The previous secret, which is valid until that time.
    sealed_previous: Mapped[str | None] = mapped_column(Text)
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Counts edits, for optimistic locking.
    revision: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(200))
    updated_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FiringRow(Table):
    """One event that fired a trigger, written in the transaction of the event. `state` is one of
    `triggers.states`.

    `message_id` identifies a delivery for the receiver: it is the same if the delivery is sent
    again by another firing, which is a `resend_of` this one.
    """

    __tablename__ = "trigger_firings"
    __table_args__ = (
        UniqueConstraint("trigger_id", "event_id"),
        Index("ix_trigger_firings_list", "trigger_id", "created_at", "id"),
        Index("ix_trigger_firings_created_at", "created_at"),
        Index("ix_trigger_firings_run_id", "run_id"),
        Index(
            "ix_trigger_firings_waiting",
            "created_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    trigger_id: Mapped[str] = mapped_column(ForeignKey("triggers.id", ondelete="CASCADE"))
    workspace_id: Mapped[str] = mapped_column(Id)
    event_id: Mapped[str] = mapped_column(String(200))
    event_type: Mapped[str] = mapped_column(String(32))
    # JSON in ASCII, which represents any text; null once it is no longer needed and may not be
    # stored.
    event: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(64))
    resend_of: Mapped[str | None] = mapped_column(Id)
    # Ids of the triggers that led to the event, the first cause first.
    causes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str] = mapped_column(String(16))
    # How many times Prefect was notified, and when last.
    tellings: Mapped[int] = mapped_column(default=0)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    run_id: Mapped[str | None] = mapped_column(Id)
    error: Mapped[str] = mapped_column(Text, default="")
    # For deliveries: `{"number", "error"}` of each failed attempt, and the receiver's response.
    attempts: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    answer_status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
