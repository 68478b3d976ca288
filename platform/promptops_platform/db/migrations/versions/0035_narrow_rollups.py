"""Sums of runs without what few statistics tell apart, made of those that have it."""

from collections.abc import Sequence

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

NUMBERS = (
    *("runs", "errors", "estimated", "unpriced", "latency_ms", "calls"),
    *("prompt_tokens", "cached_tokens", "output_tokens", "cost_nanos"),
)
# No sum may be larger than what the next one can be added to.
SUM = {
    "sqlite": "CAST(min(total({name}), 4611686018427387903) AS INTEGER)",
    "postgresql": "CAST(least(sum({name}), 4611686018427387903) AS BIGINT)",
}
# The sum of the histograms of a group of rows.
MERGED = {
    "sqlite": """(SELECT json_group_object(key, number) FROM (
        SELECT item.key, sum(item.value) AS number
        FROM {table} AS part, json_each(part.latencies) AS item
        WHERE {same} GROUP BY item.key))""",
    "postgresql": """(SELECT coalesce(jsonb_object_agg(key, number), '{{}}') FROM (
        SELECT item.key, sum(item.value::bigint) AS number
        FROM {table} AS part, jsonb_each_text(part.latencies) AS item
        WHERE {same} GROUP BY item.key) AS summed)""",
}


def upgrade() -> None:
    kept = ("workspace_id", "span", "starts_at", "source")
    _narrow("run_rollups", "model", "source", kept, ("ref_key", "provider", "model"))
    versions = (*kept, "ref_key", "version")
    _narrow("run_version_rollups", "version", "alone", versions, ("state", "provider", "model"))


def _narrow(table: str, grain: str, new: str, kept: Sequence[str], dropped: Sequence[str]) -> None:
    dialect, kept = op.get_context().dialect.name, (*kept, "shard")
    same = [f"part.{name} = {table}.{name}" for name in kept]
    same.append(f"part.grain = '{grain}'")
    merged = MERGED[dialect].format(table=table, same=" AND ".join(same))
    sums = [SUM[dialect].format(name=name) for name in NUMBERS]
    columns = ["grain", *kept, *dropped, *NUMBERS, "latencies"]
    values = [f"'{new}'", *kept, *("''" for _ in dropped), *sums, merged]
    op.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table}"  # noqa: S608
        f" WHERE grain = '{grain}' AND span <> 'all' GROUP BY {', '.join(kept)}"
    )
