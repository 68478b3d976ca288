"""States of runs, what they ran, and the prompts that they and their steps used.

Of an earlier release's runs it is only known whether they ended well, what their inputs name as
version, and the one prompt of the run itself. The sums by version and state begin here.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from promptops_platform.db.types import UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# How the releases before it ended runs that neither failed nor went on.
CRASHED = (
    "the platform ended during this run; start it again",
    "the run engine ended before the run did",
    "the platform was stopped before the run ended",
    "the platform failed to follow the run; see its log",
)
LATENCIES = sa.JSON().with_variant(JSONB(), "postgresql")
NUMBERS = (
    *("runs", "errors", "estimated", "unpriced", "latency_ms", "calls"),
    *("prompt_tokens", "cached_tokens", "output_tokens", "cost_nanos"),
)
# The way to a value within the inputs of a run.
INPUT = {
    "sqlite": "json_extract(inputs, '$.{}')",
    "postgresql": "inputs #>> '{{{}}}'",
}


def upgrade() -> None:
    _extend_runs()
    _extend_steps()
    _add_prompts()
    _add_rollups()
    _fill()


def _extend_runs() -> None:
    for column in (
        sa.Column("state", sa.String(16), nullable=False, server_default="running"),
        sa.Column("version", sa.String(64)),
        sa.Column("prompt_variant", sa.String(64)),
        sa.Column("retry_of", sa.String(36)),
        sa.Column("began_at", UtcDateTime()),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("is_detached", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("cancelled_by", sa.String(200)),
        sa.Column("cancel_requested_by", sa.String(200)),
    ):
        op.add_column("runs", column)
    # Runs of a prompt are found by the new table.
    op.drop_index("ix_runs_prompt_key", "runs")
    _index("state", "status = 'error'")
    _index("retry_of", "retry_of IS NOT NULL")


def _index(name: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(
        f"ix_runs_{name}",
        "runs",
        [name, "created_at", "id", "workspace_id"],
        sqlite_where=where,
        postgresql_where=where,
    )


def _extend_steps() -> None:
    for column in (
        sa.Column("version", sa.String(64)),
        sa.Column("prompts", sa.JSON()),
        sa.Column("failures", sa.JSON()),
        sa.Column("items", sa.JSON()),
        sa.Column("reused", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("run_steps", column)


def _add_prompts() -> None:
    dimensions: tuple[sa.Column[Any], ...] = (
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("env", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False),
    )
    op.create_table(
        "run_prompts",
        *dimensions,
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_prompts_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            *(column.name for column in dimensions), name=op.f("pk_run_prompts")
        ),
    )
    op.create_index(
        "ix_run_prompts_key", "run_prompts", ["key", "created_at", "run_id", "workspace_id"]
    )


def _add_rollups() -> None:
    dimensions: tuple[sa.Column[Any], ...] = (
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("grain", sa.String(8), nullable=False),
        sa.Column("span", sa.String(8), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("ref_key", sa.String(200), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
    )
    names = [column.name for column in dimensions]
    op.create_table(
        "run_version_rollups",
        *dimensions,
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NUMBERS),
        sa.Column("latencies", LATENCIES, nullable=False),
        sa.PrimaryKeyConstraint(*names, name=op.f("pk_run_version_rollups")),
    )
    period = ["grain", "span", "starts_at"]
    op.create_index("ix_run_version_rollups_time", "run_version_rollups", period)
    op.create_index("ix_run_version_rollups_key", "run_version_rollups", ["ref_key", *period])


def _fill() -> None:
    crashed: sa.BindParameter[Any] = sa.bindparam("crashed", CRASHED, expanding=True)
    variant = f"substr({_input('prompt', 'variant')}, 1, 64)"
    version = f"CASE WHEN source != 'playground' THEN substr({_input('version')}, 1, 64) END"
    op.execute(
        sa.text(
            f"UPDATE runs SET began_at = created_at, version = {version},"  # noqa: S608
            f" prompt_variant = CASE WHEN prompt_key IS NOT NULL THEN {variant} END, state = CASE"
            " WHEN status = 'ok' THEN 'completed' WHEN status = 'running' THEN 'running'"
            " WHEN error IN :crashed THEN 'crashed' ELSE 'failed' END"
        ).bindparams(crashed)
    )
    op.execute(
        "INSERT INTO run_prompts"
        " (run_id, position, key, env, version, variant, workspace_id, created_at)"
        " SELECT id, 0, prompt_key, coalesce(prompt_env, ''), coalesce(prompt_version, ''),"
        " coalesce(prompt_variant, ''), workspace_id, created_at"
        " FROM runs WHERE prompt_key IS NOT NULL"
    )


def _input(*path: str) -> str:
    dialect = op.get_bind().dialect.name
    return INPUT[dialect].format(("." if dialect == "sqlite" else ",").join(path))
