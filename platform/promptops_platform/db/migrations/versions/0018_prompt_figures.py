"""The version of the prompt that a run used, and sums by it.

The sums begin with this release; of earlier runs their inputs say which prompt they used.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from promptops_platform.db.types import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ENDED = sa.text("status != 'running'")
LATENCIES = sa.JSON().with_variant(JSONB(), "postgresql")
NUMBERS = (
    *("runs", "errors", "estimated", "unpriced", "latency_ms", "calls"),
    *("prompt_tokens", "cached_tokens", "output_tokens", "cost_nanos"),
)
# A run of the playground has the key of its prompt as its own, and no version is a working copy.
INPUTS = {
    "sqlite": "json_extract(inputs, '$.prompt.{}')",
    "postgresql": "inputs #>> '{{prompt,{}}}'",
}


def upgrade() -> None:
    _columns()
    _table()
    op.create_index(
        "ix_runs_prompt_key",
        "runs",
        ["prompt_key", "created_at", "id", "workspace_id"],
        sqlite_where=ENDED,
        postgresql_where=ENDED,
    )


def _columns() -> None:
    op.add_column("runs", sa.Column("prompt_key", sa.String(200)))
    op.add_column("runs", sa.Column("prompt_env", sa.String(64)))
    op.add_column("runs", sa.Column("prompt_version", sa.String(64)))
    path = INPUTS[op.get_bind().dialect.name]
    key, env, version = (path.format(name) for name in ("key", "env", "version"))
    op.execute(
        f"UPDATE runs SET prompt_key = substr(coalesce({key}, ref_key), 1, 200),"  # noqa: S608
        f" prompt_env = substr({env}, 1, 64),"
        f" prompt_version = substr(coalesce({version}, 'draft'), 1, 64)"
        f" WHERE {env} IS NOT NULL"
    )


def _table() -> None:
    dimensions: tuple[sa.Column[Any], ...] = (
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("span", sa.String(length=8), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("prompt_key", sa.String(length=200), nullable=False),
        sa.Column("prompt_env", sa.String(length=64), nullable=False),
        sa.Column("prompt_version", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
    )
    names = [column.name for column in dimensions]
    op.create_table(
        "run_prompt_rollups",
        *dimensions,
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NUMBERS),
        sa.Column("latencies", LATENCIES, nullable=False),
        sa.PrimaryKeyConstraint(*names, name=op.f("pk_run_prompt_rollups")),
    )
    op.create_index("ix_run_prompt_rollups_time", "run_prompt_rollups", ["span", "starts_at"])
    op.create_index(
        "ix_run_prompt_rollups_prompt_key",
        "run_prompt_rollups",
        ["prompt_key", "span", "starts_at"],
    )
