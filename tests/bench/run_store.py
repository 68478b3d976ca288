"""Fills a run log past the API: runs of half a year, and the roll-ups that they would have left.

Whatever their number, they spread over the same half year, 200 keys (the more used ones much
more), eight models of four providers and 97 users; each key keeps to two models. Every 50th failed.
"""

from datetime import UTC, datetime
from itertools import product

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from promptops_platform.runlog.tables import RunPromptRow, RunRow

DAYS = 180
KEYS = 200
MODELS = ("gpt-5", "gpt-5-mini", "opus", "haiku", "flash", "pro", "llama", "qwen")
PROVIDERS = ("openai", "claude", "gemini", "ollama")
SOURCES = ("workflow", "agent", "playground")

# SQLite stores a time as a text, of six decimals.
TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', {seconds}, 'unixepoch')",
    "postgresql": "to_timestamp({seconds})",
}
RUNS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {runs}),
dice AS (
  SELECT n, (CAST(n AS BIGINT) * 7919) % 10007 AS a, (CAST(n AS BIGINT) * 104729) % 10009 AS b
  FROM numbers
),
drawn AS (SELECT n, a, b, ({keys} * a / 10007) * a / 10007 AS key FROM dice)
INSERT INTO runs (
  id, workspace_id, source, ref_key, user_name, prompt_key, prompt_env, prompt_version, inputs,
  provider, model, prompt_tokens, cached_tokens, output_tokens, usage_estimated, cost_nanos,
  price_version, latency_ms, status, state, version, attempt, is_detached, began_at, error, output,
  instance, created_at, finished_at
)
SELECT
  'run-' || n, 'default', {source}, 'key-' || key, 'user' || (n % 97),
  'key-' || key, 'prod', 'v' || (1 + n % 2),
  '{{"variables":{{"question":"a question of some fifty characters, as people ask"}}}}',
  {provider}, {model}, 300 + b % 700, 0, 50 + a % 450, FALSE, (a + b) * 1000, 'bench',
  200 + b * b / 5000, CASE n % 50 WHEN 0 THEN 'error' ELSE 'ok' END,
  CASE WHEN n % 50 <> 0 THEN 'completed' WHEN n % 150 = 0 THEN 'cancelled' ELSE 'failed' END,
  CAST(1 + n % 3 AS TEXT), 1, FALSE, {time}, '',
  'An answer of some sixty characters, which is shorter than most are.', 'bench', {time}, {time}
FROM drawn
"""
PROMPTS = """
INSERT INTO run_prompts (
  run_id, position, key, env, version, variant, workspace_id, created_at
)
SELECT id, 0, prompt_key, prompt_env, prompt_version, '', workspace_id, created_at FROM runs
"""
# One row for each bucket of a histogram that has runs.
PARTS = """
CREATE TEMPORARY TABLE parts AS
SELECT {hour} AS hour, {day} AS day, source, ref_key, prompt_version, version, state, provider,
  model,
  CAST(ceil(ln(latency_ms) / ln(1.1) - 1e-9) AS INTEGER) AS bucket,
  count(*) AS runs, sum(CASE status WHEN 'error' THEN 1 ELSE 0 END) AS errors,
  sum(latency_ms) AS latency_ms, sum(prompt_tokens) AS prompt_tokens,
  sum(output_tokens) AS output_tokens, sum(cost_nanos) AS cost_nanos
FROM runs GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
ROLLUPS = """
INSERT INTO run_rollups (
  workspace_id, grain, span, starts_at, source, ref_key, provider, model, shard, runs, errors,
  estimated, unpriced, latency_ms, calls, prompt_tokens, cached_tokens, output_tokens, cost_nanos,
  latencies
)
SELECT 'default', '{grain}', '{span}', starts_at, source, ref_key, provider, model, 0, sum(runs),
  sum(errors), 0, 0, sum(latency_ms), sum(runs), sum(prompt_tokens), 0, sum(output_tokens),
  sum(cost_nanos), {histogram}
FROM (
  SELECT {start} AS starts_at, source, {key} AS ref_key, {provider} AS provider, {model} AS model,
    bucket, sum(runs) AS runs, sum(errors) AS errors, sum(latency_ms) AS latency_ms,
    sum(prompt_tokens) AS prompt_tokens, sum(output_tokens) AS output_tokens,
    sum(cost_nanos) AS cost_nanos
  FROM parts GROUP BY 1, 2, 3, 4, 5, 6
) AS summed GROUP BY starts_at, source, ref_key, provider, model
"""
PROMPT_ROLLUPS = """
INSERT INTO run_prompt_rollups (
  workspace_id, span, starts_at, source, prompt_key, prompt_env, prompt_version, provider, model,
  shard, runs, errors, estimated, unpriced, latency_ms, calls, prompt_tokens, cached_tokens,
  output_tokens, cost_nanos, latencies
)
SELECT 'default', '{span}', {span}, source, ref_key, 'prod', prompt_version, provider, model, 0,
  sum(runs), sum(errors), 0, 0, sum(latency_ms), sum(runs), sum(prompt_tokens), 0,
  sum(output_tokens), sum(cost_nanos), {histogram}
FROM parts GROUP BY {span}, source, ref_key, prompt_version, provider, model
"""
VERSION_ROLLUPS = """
INSERT INTO run_version_rollups (
  workspace_id, grain, span, starts_at, source, ref_key, version, state, provider, model, shard,
  runs, errors, estimated, unpriced, latency_ms, calls, prompt_tokens, cached_tokens,
  output_tokens, cost_nanos, latencies
)
SELECT 'default', '{grain}', '{span}', starts_at, source, ref_key, version, state, provider, model,
  0, sum(runs), sum(errors), 0, 0, sum(latency_ms), sum(runs), sum(prompt_tokens), 0,
  sum(output_tokens), sum(cost_nanos), {histogram}
FROM (
  SELECT {span} AS starts_at, source, {key} AS ref_key, {version} AS version, {state} AS state,
    {provider} AS provider, {model} AS model, bucket, sum(runs) AS runs, sum(errors) AS errors,
    sum(latency_ms) AS latency_ms, sum(prompt_tokens) AS prompt_tokens,
    sum(output_tokens) AS output_tokens, sum(cost_nanos) AS cost_nanos
  FROM parts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
) AS summed GROUP BY starts_at, source, ref_key, version, state, provider, model
"""
COUNT = "INSERT INTO run_counts (workspace_id, shard, total) VALUES ('default', 0, {runs})"
BY_DIALECT: dict[str, dict[str, str]] = {
    "sqlite": {
        "hour": "strftime('%Y-%m-%d %H:00:00.000000', created_at)",
        "day": "strftime('%Y-%m-%d 00:00:00.000000', created_at)",
        "all": "'1970-01-01 00:00:00.000000'",
        "histogram": "json_group_object(CAST(bucket AS TEXT), runs)",
    },
    "postgresql": {
        "hour": "date_trunc('hour', created_at, 'UTC')",
        "day": "date_trunc('day', created_at, 'UTC')",
        "all": "to_timestamp(0)",
        "histogram": "jsonb_object_agg(bucket::text, runs)",
    },
}
GRAINS = {
    "model": {"key": "''", "provider": "provider", "model": "model"},
    "key": {"key": "ref_key", "provider": "''", "model": "''"},
    "full": {"key": "ref_key", "provider": "provider", "model": "model"},
    "source": {"key": "''", "provider": "''", "model": "''"},
}
CALLED = {"state": "state", "provider": "provider", "model": "model"}
VERSION_GRAINS = {
    "version": {"key": "ref_key", "version": "version", **CALLED},
    "state": {"key": "''", "version": "''", **CALLED},
    "alone": {"key": "ref_key", "version": "version", **dict.fromkeys(CALLED, "''")},
}


async def fill_runs(session: AsyncSession, runs: int) -> None:
    """That many runs up to now, none of them with steps: no list or statistic reads these."""
    dialect = session.get_bind().dialect.name
    own = BY_DIALECT[dialect]
    connection = await session.connection()
    await _indexes(connection, drop=True)
    seconds = DAYS * 86_400
    end = int(datetime.now(UTC).timestamp())
    time = TIMES[dialect].format(seconds=f"{end - seconds} + n * {seconds / runs!r}")
    model = f"(key + n % 2) % {len(MODELS)}"
    statement = RUNS.format(
        runs=runs,
        keys=KEYS,
        time=time,
        source=_choice(f"key % {len(SOURCES)}", SOURCES),
        provider=_choice(f"({model}) / 2", PROVIDERS),
        model=_choice(model, MODELS),
    )
    await connection.exec_driver_sql(statement)
    await connection.exec_driver_sql(PROMPTS)
    await connection.exec_driver_sql(PARTS.format(**own))
    for (grain, called), span in product(GRAINS.items(), ("hour", "day", "all")):
        start = span if span != "all" else own["all"]
        rollup = ROLLUPS.format(
            grain=grain, span=span, start=start, histogram=own["histogram"], **called
        )
        await connection.exec_driver_sql(rollup)
    for span in ("hour", "day"):
        by_prompt = PROMPT_ROLLUPS.format(span=span, histogram=own["histogram"])
        await connection.exec_driver_sql(by_prompt)
    for (grain, parts), span in product(VERSION_GRAINS.items(), ("hour", "day")):
        by_version = VERSION_ROLLUPS.format(
            grain=grain, span=span, histogram=own["histogram"], **parts
        )
        await connection.exec_driver_sql(by_version)
    await connection.exec_driver_sql("DROP TABLE parts")
    await connection.exec_driver_sql(COUNT.format(runs=runs))
    await _indexes(connection, drop=False)


async def _indexes(connection: AsyncConnection, *, drop: bool) -> None:
    """Make them at the end, at once: one by one it takes many times as long."""
    for table in (RunRow, RunPromptRow):
        for index in table.__table__.indexes:  # type: ignore[attr-defined]
            await connection.run_sync(index.drop if drop else index.create)


def _choice(number: str, names: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN {index} THEN '{name}'" for index, name in enumerate(names))
    return f"CASE {number} {cases} END"
