"""Runs with their inputs, usage and cost, and the roll-ups of their statistics."""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from promptops_platform.db.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH = 500
ENDED = sa.text("status != 'running'")
UNDER_WAY = sa.text("status = 'running'")
SPANS = ("hour", "day", "all")
NUMBERS = (
    *("runs", "errors", "estimated", "unpriced", "latency_ms", "calls"),
    *("prompt_tokens", "cached_tokens", "output_tokens", "cost_nanos"),
)
LATENCIES = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    _columns()
    _tables()
    # The releases before knew one provider, which costs nothing and counts by itself.
    for table in ("runs", "run_steps"):
        op.execute(
            f"UPDATE {table} SET cost_nanos = 0, "  # noqa: S608
            "usage_estimated = (prompt_tokens + output_tokens > 0)"
        )
    _fill()
    _indexes()


def _columns() -> None:
    op.add_column("runs", sa.Column("user_name", sa.String(200), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("inputs", sa.JSON(none_as_null=True)))
    op.add_column("runs", sa.Column("price_version", sa.String(64)))
    op.add_column("runs", sa.Column("first_token_ms", sa.Integer()))
    op.add_column("run_steps", sa.Column("price", sa.JSON(none_as_null=True)))
    op.add_column("run_steps", sa.Column("input", sa.Text()))
    for table in ("runs", "run_steps"):
        op.add_column(
            table, sa.Column("cached_tokens", sa.Integer(), nullable=False, server_default="0")
        )
        op.add_column(
            table,
            sa.Column("usage_estimated", sa.Boolean(), nullable=False, server_default=sa.false()),
        )
        op.add_column(table, sa.Column("cost_nanos", sa.BigInteger()))
        op.add_column(table, sa.Column("stop_reason", sa.String(32)))


def _tables() -> None:
    op.create_table(
        "run_counts",
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "shard", name=op.f("pk_run_counts")),
    )
    dimensions: tuple[sa.Column[Any], ...] = (
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("grain", sa.String(length=8), nullable=False),
        sa.Column("span", sa.String(length=8), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("ref_key", sa.String(length=200), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
    )
    op.create_table(
        "run_rollups",
        *dimensions,
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NUMBERS),
        sa.Column("latencies", LATENCIES, nullable=False),
        sa.PrimaryKeyConstraint(
            *(column.name for column in dimensions), name=op.f("pk_run_rollups")
        ),
    )


def _indexes() -> None:
    op.create_index("ix_run_rollups_time", "run_rollups", ["grain", "span", "starts_at"])
    op.create_index("ix_run_rollups_key", "run_rollups", ["ref_key", "grain", "span", "starts_at"])
    op.drop_index("ix_runs_status_created_at", table_name="runs")
    op.drop_index("ix_runs_created_at", table_name="runs")
    newest = ["created_at", "id", "workspace_id"]
    op.create_index(
        "ix_runs_running", "runs", newest, sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY
    )
    op.create_index("ix_runs_workspace", "runs", ["workspace_id", "created_at", "id"])
    for name in ("newest", "source", "ref_key", "status", "provider", "model", "user_name"):
        columns = newest if name == "newest" else [name, *newest]
        op.create_index(
            f"ix_runs_{name}", "runs", columns, sqlite_where=ENDED, postgresql_where=ENDED
        )


def _fill() -> None:
    """Count the runs that have ended and sum them up. The rules are copied: they may change, this
    may not."""
    # An index takes no longer text than some kilobytes.
    op.execute("UPDATE runs SET model = substr(model, 1, 200) WHERE length(model) > 200")
    op.execute(
        "INSERT INTO run_counts (workspace_id, shard, total) "
        "SELECT workspace_id, 0, COUNT(*) FROM runs WHERE status != 'running' GROUP BY workspace_id"
    )
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    latencies: dict[tuple[Any, ...], Counter[str]] = {}
    for row in _ended():
        for key in _keys(row):
            _add(sums.setdefault(key, Counter()), row)
            latencies.setdefault(key, Counter())[_bucket(row.latency_ms)] += 1
    names = ("workspace_id", "grain", "span", "starts_at", "source", "ref_key", "provider", "model")
    table = sa.table("run_rollups", *map(sa.column, (*names, "shard", *NUMBERS)))
    table.c.starts_at.type = UtcDateTime()
    table.append_column(sa.column("latencies", LATENCIES))
    rows = [
        dict(zip(names, key, strict=True))
        | {name: sums[key][name] for name in NUMBERS}
        | {"shard": 0, "latencies": dict(latencies[key])}
        for key in sums
    ]
    for start in range(0, len(rows), BATCH):
        op.get_bind().execute(sa.insert(table), rows[start : start + BATCH])


def _ended() -> Iterator[sa.Row[Any]]:
    names = (
        *("workspace_id", "source", "ref_key", "provider", "model", "status"),
        *("prompt_tokens", "output_tokens", "usage_estimated", "latency_ms"),
    )
    runs = sa.table("runs", sa.column("id"), *map(sa.column, names))
    runs.append_column(sa.column("created_at", UtcDateTime()))
    last = ""
    while True:
        query = sa.select(runs).where(runs.c.id > last, runs.c.status != "running")
        rows = op.get_bind().execute(query.order_by(runs.c.id).limit(BATCH)).all()
        if not rows:
            return
        last = rows[-1].id
        yield from rows


def _keys(row: sa.Row[Any]) -> Iterator[tuple[Any, ...]]:
    hour = row.created_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = (hour, hour.replace(hour=0), datetime(1970, 1, 1, tzinfo=UTC))
    for span, start in zip(SPANS, starts, strict=True):
        for grain in ("model", "key", "full"):
            key = "" if grain == "model" else row.ref_key
            called = ("", "") if grain == "key" else (row.provider, row.model[:200])
            yield (row.workspace_id, grain, span, start, row.source, key, *called)


def _add(sums: Counter[str], row: sa.Row[Any]) -> None:
    sums["runs"] += 1
    sums["errors"] += row.status == "error"
    sums["estimated"] += bool(row.usage_estimated)
    sums["latency_ms"] += row.latency_ms
    sums["calls"] += row.provider != ""
    sums["prompt_tokens"] += row.prompt_tokens
    sums["output_tokens"] += row.output_tokens


def _bucket(milliseconds: int) -> str:
    if milliseconds < 1:
        return "-1"
    return str(math.ceil(math.log(milliseconds) / math.log(1.1) - 1e-9))
