"""The tables of the run log and of its statistics."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime

FILTERED = ("source", "ref_key", "status", "provider", "model", "user_name", "scope")


def _where(condition: str) -> dict[str, Any]:
    """Of an index over some rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class RunRow(Table):
    """One run. `status` is `running` until it ends as `ok` or `error`."""

    __tablename__ = "runs"
    # The list is of runs that have ended: its indexes hold no others, so that a run is entered in
    # them once, when it ends. Each is in the order of the page, and ends with what a page tests.
    __table_args__ = (
        Index(
            "ix_runs_running", "created_at", "id", "workspace_id", **_where("status = 'running'")
        ),
        Index("ix_runs_workspace", "workspace_id", "created_at", "id"),
        *(
            Index(
                f"ix_runs_{name}",
                *([] if name == "newest" else [name]),
                "created_at",
                "id",
                "workspace_id",
                **_where("status != 'running'"),
            )
            for name in ("newest", *FILTERED)
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id)
    source: Mapped[str] = mapped_column(String(16))
    ref_key: Mapped[str] = mapped_column(String(200))
    user_name: Mapped[str] = mapped_column(String(200))
    # Whose it is among API keys that are limited to environments; see `access.scopes`.
    scope: Mapped[str | None] = mapped_column(String(80))
    # Variables, prompt reference and the like; null where they are not kept.
    inputs: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    provider: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(Text)
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    output_tokens: Mapped[int]
    usage_estimated: Mapped[bool]
    # In billionths of a dollar; null where a price or the usage isn't known.
    cost_nanos: Mapped[int | None] = mapped_column(BigInteger)
    price_version: Mapped[str | None] = mapped_column(String(64))
    stop_reason: Mapped[str | None] = mapped_column(String(32))
    latency_ms: Mapped[int]
    first_token_ms: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(16))
    error: Mapped[str] = mapped_column(Text)
    output: Mapped[str] = mapped_column(Text)
    flow_run_id: Mapped[str | None] = mapped_column(Id)
    flow_run_url: Mapped[str | None] = mapped_column(Text)
    # The platform that runs it: after a crash it closes its own orphans, nobody else's.
    instance: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RunStepRow(Table):
    """A finished step of a run; `position` counts from 1."""

    __tablename__ = "run_steps"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(32))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    duration_ms: Mapped[int]
    attempts: Mapped[int]
    provider: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(Text)
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    output_tokens: Mapped[int]
    usage_estimated: Mapped[bool]
    cost_nanos: Mapped[int | None] = mapped_column(BigInteger)
    # What a model call was charged by: version of the table, and its prices.
    price: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    stop_reason: Mapped[str | None] = mapped_column(String(32))
    # How the model was asked otherwise than the definition says, in sentences.
    notes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    input: Mapped[str | None] = mapped_column(Text)
    output: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)


class RunCountRow(Table):
    """How many ended runs of a workspace are kept, so that nobody has to count them. Each replica
    counts in a shard of its own, and none waits for another."""

    __tablename__ = "run_counts"

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    total: Mapped[int] = mapped_column(BigInteger)


class RunRollupRow(Table):
    """Sums over ended runs of an hour, of a day or of all time (`span`).

    `grain` says what it tells apart besides workspace and source: `model` (provider and model),
    `key`, or `full`, which is all three; what it doesn't is an empty text. Runs count under the
    provider and model that they ended with, tokens and cost under those that were called.
    `latencies` maps a bucket of the histogram to its number of runs.
    """

    __tablename__ = "run_rollups"
    __table_args__ = (
        Index("ix_run_rollups_time", "grain", "span", "starts_at"),
        Index("ix_run_rollups_key", "ref_key", "grain", "span", "starts_at"),
    )

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    grain: Mapped[str] = mapped_column(String(8), primary_key=True)
    span: Mapped[str] = mapped_column(String(8), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    ref_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    provider: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    runs: Mapped[int] = mapped_column(BigInteger)
    errors: Mapped[int] = mapped_column(BigInteger)
    estimated: Mapped[int] = mapped_column(BigInteger)
    unpriced: Mapped[int] = mapped_column(BigInteger)
    latency_ms: Mapped[int] = mapped_column(BigInteger)
    calls: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_nanos: Mapped[int] = mapped_column(BigInteger)
    latencies: Mapped[dict[str, int]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
