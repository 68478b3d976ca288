"""What a run needs to continue or to be retried, and responses to idempotent requests, sealed."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class RunPlanRow(Table):
    """The plan of a run that has not been completed. A plan without a text has moved to its retry.
    `waits` counts how often the run continued after decisions; `flow_run_id` is set while its flow
    run is suspended."""

    __tablename__ = "run_plans"
    __table_args__ = (
        Index(
            "ix_run_plans_flow_run_id",
            "flow_run_id",
            sqlite_where=text("flow_run_id IS NOT NULL"),
            postgresql_where=text("flow_run_id IS NOT NULL"),
        ),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[str | None] = mapped_column(Text)
    retried_by: Mapped[str | None] = mapped_column(Id)
    waits: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    flow_run_id: Mapped[str | None] = mapped_column(Id)


class SuspendedFlowRunRow(Table):
    """A flow run that Prefect shows as suspended although its run has ended or is deleted; Prefect
    has to show `message`."""

    __tablename__ = "suspended_flow_runs"

    flow_run_id: Mapped[str] = mapped_column(Id, primary_key=True)
    message: Mapped[str] = mapped_column(Text)


class RunCheckpointRow(Table):
    """The whole output of a completed step; `position` counts from 1."""

    __tablename__ = "run_checkpoints"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sealed: Mapped[str] = mapped_column(Text)


class PooledRunRow(Table):
    """A run that has not ended and that a work pool executes.

    While no worker has it, it is offered to Prefect at `offer_at`; each of the `offers` has its own
    flow run. `lost_flow_run_id` is the previous one, whose worker was lost.

    The worker's events up to the number `sequence` are recorded; steps after `inner_steps` move by
    `inner_shift` places, see `InnerPlaces`.
    """

    __tablename__ = "pooled_runs"
    __table_args__ = (Index("ix_pooled_runs_offer_at", "offer_at"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    offer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    offers: Mapped[int] = mapped_column(default=1)
    lost_flow_run_id: Mapped[str | None] = mapped_column(Id)
    sequence: Mapped[int] = mapped_column(default=0)
    inner_steps: Mapped[int] = mapped_column(default=0)
    inner_shift: Mapped[int] = mapped_column(default=0)


class IdempotencyKeyRow(Table):
    """A request that started a run and that its caller may repeat. `content_hash` is the hash of
    the request; the response has a status once it is known, and a text if that may be stored."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("ix_idempotency_keys_run_id", "run_id"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    caller_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    status: Mapped[int | None]
    sealed: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
