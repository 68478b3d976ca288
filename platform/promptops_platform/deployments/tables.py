"""Tables of deployments in Prefect, of claimed flow runs, and of timers."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class PrefectDeploymentRow(Table):
    """Where Prefect shows a deployment that was sent to it."""

    __tablename__ = "prefect_deployments"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    ref: Mapped[str] = mapped_column(Id, primary_key=True)
    deployment_id: Mapped[str] = mapped_column(Id)
    url: Mapped[str | None] = mapped_column(Text)


class FlowRunClaimRow(Table):
    """A flow run that a run executes: written in the transaction that records the run, so that only
    one of several replicas starts it."""

    __tablename__ = "flow_run_claims"
    __table_args__ = (
        Index("ix_flow_run_claims_owner", "kind", "ref", "scheduled_at"),
        Index("ix_flow_run_claims_run_id", "run_id"),
    )

    flow_run_id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    ref: Mapped[str] = mapped_column(Id)
    scheduled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))


class TimerRow(Table):
    """A pending timer."""

    __tablename__ = "timers"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    ref: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class PrefectComparisonRow(Table):
    """When Prefect was last compared with the platform, and the names of what the last comparison
    with differences has corrected."""

    __tablename__ = "prefect_comparisons"

    work_pool: Mapped[str] = mapped_column(String(200), primary_key=True)
    compared_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # How many deployments Prefect refused.
    refused: Mapped[int]
    corrected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[list[str]] = mapped_column(JSON)
    corrected: Mapped[list[str]] = mapped_column(JSON)
    removed: Mapped[list[str]] = mapped_column(JSON)
    timers: Mapped[int]
