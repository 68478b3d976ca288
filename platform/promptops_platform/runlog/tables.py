"""The tables of the run log and of its statistics."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime

FILTERED = ("source", "ref_key", "status", "provider", "model", "user_name", "scope")
IN_ORDER = ("created_at", "id", "workspace_id")


def _where(condition: str) -> dict[str, Any]:
    """Options of a partial index."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class RunRow(Table):
    """One run. `status` is `running` until it ends as `ok` or `error`; `state` is one of
    `runlog.states`."""

    __tablename__ = "runs"
    # Lists contain ended runs: their indexes contain no others, so that a run is inserted into them
    # once, when it ends. Each is in the order of a page, and ends with the columns that a page
    # filters by.
    __table_args__ = (
        Index(
            "ix_runs_running", "created_at", "id", "workspace_id", **_where("status = 'running'")
        ),
        Index("ix_runs_workspace", "workspace_id", "created_at", "id"),
        *(
            Index(
                f"ix_runs_{name}",
                *([] if name == "newest" else [name]),
                *IN_ORDER,
                *(["version"] if name == "ref_key" else []),
                **_where("status != 'running'"),
            )
            for name in ("newest", *FILTERED)
        ),
        # All that ended as ok are completed.
        Index("ix_runs_state", *("state", *IN_ORDER), **_where("status = 'error'")),
        Index("ix_runs_origin", "origin_id", "created_at", "id", **_where("origin_id IS NOT NULL")),
        # Those that a flow run may continue.
        Index("ix_runs_flow_run_id", "flow_run_id", **_where("status != 'ok'")),
        Index("ix_runs_retry_of", *("retry_of", *IN_ORDER), **_where("retry_of IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id)
    source: Mapped[str] = mapped_column(String(16))
    ref_key: Mapped[str] = mapped_column(String(200))
    user_name: Mapped[str] = mapped_column(String(200))
    # The owner, among API keys that are limited to environments; see `access.scopes`.
    scope: Mapped[str | None] = mapped_column(String(80))
    # The registry prompt that it used, null if it used none; `draft` is a working copy.
    prompt_key: Mapped[str | None] = mapped_column(String(200))
    prompt_env: Mapped[str | None] = mapped_column(String(64))
    prompt_version: Mapped[str | None] = mapped_column(String(64))
    prompt_variant: Mapped[str | None] = mapped_column(String(64))
    # Variables, prompt reference and the like; null if they are not stored.
    inputs: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    provider: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(Text)
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    output_tokens: Mapped[int]
    usage_estimated: Mapped[bool]
    # In nanodollars; null if a price or the usage isn't known.
    cost_nanos: Mapped[int | None] = mapped_column(BigInteger)
    price_version: Mapped[str | None] = mapped_column(String(64))
    stop_reason: Mapped[str | None] = mapped_column(String(32))
    latency_ms: Mapped[int]
    first_token_ms: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    # The definition's version; null if the run has no definition.
    version: Mapped[str | None] = mapped_column(String(64))
    # The run that this one retries.
    retry_of: Mapped[str | None] = mapped_column(Id)
    # The schedule or trigger that has started it; null if a person did.
    origin_kind: Mapped[str | None] = mapped_column(String(16))
    origin_id: Mapped[str | None] = mapped_column(Id)
    origin_key: Mapped[str | None] = mapped_column(String(200))
    # When it began to execute; null while it is queued.
    began_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How many times it was begun, because platforms or engines ended during it.
    attempt: Mapped[int] = mapped_column(default=1)
    # No caller waits for it: it continues after the platform or the engine has ended during it.
    is_detached: Mapped[bool] = mapped_column(default=False)
    # Ids of the triggers that led to it, the first cause first; null for none.
    causes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    cancelled_by: Mapped[str | None] = mapped_column(String(200))
    # Who has requested its cancellation from the replica that executes it.
    cancel_requested_by: Mapped[str | None] = mapped_column(String(200))
    error: Mapped[str] = mapped_column(Text)
    output: Mapped[str] = mapped_column(Text)
    flow_run_id: Mapped[str | None] = mapped_column(Id)
    flow_run_url: Mapped[str | None] = mapped_column(Text)
    # The platform that executes it: after a crash each closes only its own orphans. If a work pool
    # executes the run, its worker, or empty while none has it.
    instance: Mapped[str] = mapped_column(Id)
    # The work pool whose workers execute it; null for the platform's own engine.
    pool: Mapped[str | None] = mapped_column(String(63))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @classmethod
    def executed_by(cls, flow_run_id: str) -> ColumnElement[bool]:
        """Match runs that this flow run executed last and that were not completed."""
        # Written literally, like the condition of the index.
        return (cls.flow_run_id == flow_run_id) & (cls.status != literal_column("'ok'"))


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
    # How a model call was charged: version of the table, and its prices.
    price: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    stop_reason: Mapped[str | None] = mapped_column(String(32))
    # How the model was called differently from the definition, in sentences.
    notes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # The version of the definition that it is a step of.
    version: Mapped[str | None] = mapped_column(String(64))
    # The registry prompts that it used: key, env, version and variant of each.
    prompts: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    # Why each attempt failed, in sentences.
    failures: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # The number of items of a map, and how they ended.
    items: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    # Taken over from the run that this one retries, and not executed.
    reused: Mapped[bool] = mapped_column(default=False)
    # For steps of an inner run: the position of the run's own step that executed it.
    outer: Mapped[int | None] = mapped_column(Integer)
    input: Mapped[str | None] = mapped_column(Text)
    output: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)


class RunPromptRow(Table):
    """A registry prompt that the step at `position` used, to find runs by; position 0 is the run's
    own prompt, which is not repeated for its steps. `variant` is empty without a rollout.

    Workspace and time are those of the run: pages of the runs of a prompt are read from here.
    """

    __tablename__ = "run_prompts"
    __table_args__ = (
        Index(
            "ix_run_prompts_key", "key", "created_at", "run_id", "workspace_id", "env", "version"
        ),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    env: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    variant: Mapped[str] = mapped_column(String(64), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RunCountRow(Table):
    """The number of ended runs of a workspace, so that they needn't be counted. Each replica counts
    in its own shard, so that replicas don't wait for each other."""

    __tablename__ = "run_counts"

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    total: Mapped[int] = mapped_column(BigInteger)


class RollupFigures:
    """The sums that all roll-up tables contain. `latencies` maps a bucket of the histogram to its
    number of runs."""

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


class RunRollupRow(RollupFigures, Table):
    """Sums over ended runs of an hour, of a day or of all time (`span`).

    `grain` says which columns a row groups by besides workspace and source: `model` (provider and
    model), `key`, `full` (all three), or `source` (none); the other columns are empty. Runs count
    under the provider and model that they ended with, tokens and cost under those that were called.
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


class RunVersionRollupRow(RollupFigures, Table):
    """The same sums over an hour or a day, by state.

    `grain` is `version`, which also groups by key and version of definitions, `state`, which does
    not, or `alone`, which groups by nothing but key and version.
    """

    __tablename__ = "run_version_rollups"
    __table_args__ = (
        Index("ix_run_version_rollups_time", "grain", "span", "starts_at"),
        Index("ix_run_version_rollups_key", "ref_key", "grain", "span", "starts_at"),
    )

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    grain: Mapped[str] = mapped_column(String(8), primary_key=True)
    span: Mapped[str] = mapped_column(String(8), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    ref_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), primary_key=True)
    provider: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class RunPromptRollupRow(RollupFigures, Table):
    """The same sums over an hour or a day, by provider, model and the version of the prompt that
    the runs used.

    A run counts under each prompt that it used. If it used one in several environments or versions,
    rows in which one of these is empty subtract what a sum over several rows would count twice. A
    row without a key says by how much runs are counted more than once in total.
    """

    __tablename__ = "run_prompt_rollups"
    __table_args__ = (
        Index("ix_run_prompt_rollups_time", "span", "starts_at"),
        Index("ix_run_prompt_rollups_prompt_key", "prompt_key", "span", "starts_at"),
    )

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    span: Mapped[str] = mapped_column(String(8), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    prompt_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    prompt_env: Mapped[str] = mapped_column(String(64), primary_key=True)
    prompt_version: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
