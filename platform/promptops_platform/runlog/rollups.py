"""Roll-ups of runs: what a run adds to them when it ends, and the SQL that adds it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar
from zlib import crc32

from sqlalchemy import TextClause, bindparam, func, literal_column, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import Table
from promptops_platform.runlog.latency import bucket
from promptops_platform.runlog.rollup_cells import (
    Cell,
    PromptCell,
    VersionCell,
    cells,
    prompt_cells,
    used_versions,
    version_cells,
)
from promptops_platform.runlog.tables import (
    RunCountRow,
    RunPromptRollupRow,
    RunRollupRow,
    RunRow,
    RunStepRow,
    RunVersionRollupRow,
)

# A label may be longer than an index entry.
LONGEST_MODEL = 200
# Sums are capped at this value, so that the next addition fits into 64 bits.
LARGEST_SUM = 2**62 - 1
# Each replica adds to its own shard of the roll-ups, so that replicas don't wait for each other.
SHARDS = 16
NUMBERS = (
    *("runs", "errors", "estimated", "unpriced", "latency_ms", "calls"),
    *("prompt_tokens", "cached_tokens", "output_tokens", "cost_nanos"),
)

LANGUAGES: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}
# The sum of two histograms, the stored one and the new one.
MERGED = {
    "sqlite": """(SELECT json_group_object(key, number) FROM (
        SELECT key, sum(value) AS number FROM (
          SELECT key, value FROM json_each({table}.latencies)
          UNION ALL SELECT key, value FROM json_each(excluded.latencies)
        ) GROUP BY key))""",
    "postgresql": """(SELECT coalesce(jsonb_object_agg(key, number), '{{}}') FROM (
        SELECT key, sum(value::bigint) AS number FROM (
          SELECT key, value FROM jsonb_each_text({table}.latencies)
          UNION ALL SELECT key, value FROM jsonb_each_text(excluded.latencies)
        ) AS both_of_them GROUP BY key) AS summed)""",
}


AnyCell = TypeVar("AnyCell", Cell, PromptCell, VersionCell)


@dataclass
class Figures:
    """Sums of runs; the histogram's buckets are texts, as JSON keys are."""

    numbers: Counter[str] = field(default_factory=Counter)
    latencies: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Figures", times: int = 1) -> None:
        """Add these figures `times` times."""
        for name, number in other.numbers.items():
            self.numbers[name] += number * times
        for bound, number in other.latencies.items():
            self.latencies[bound] += number * times

    def take(self, other: "Figures") -> None:
        """Subtract figures that are included in these."""
        self.add(other, -1)


class Additions:
    """What the runs that end in one transaction add."""

    def __init__(self) -> None:
        self._cells: dict[Cell, Figures] = {}
        self._prompt_cells: dict[PromptCell, Figures] = {}
        self._version_cells: dict[VersionCell, Figures] = {}
        self._ended: Counter[str] = Counter()

    def add(self, run: RunRow, steps: Sequence[RunStepRow]) -> None:
        """Count a run that has ended."""
        prompts = used_versions(run, steps)
        self._ended[run.workspace_id] += 1
        for (provider, model), figures in _by_model(run, steps).items():
            for cell in cells(run, provider, model):
                self._cells.setdefault(cell, Figures()).add(figures)
            for version_cell in version_cells(run, provider, model):
                self._version_cells.setdefault(version_cell, Figures()).add(figures)
            for prompt_cell, times in prompt_cells(run, prompts, provider, model):
                self._prompt_cells.setdefault(prompt_cell, Figures()).add(figures, times)

    async def write(self, session: AsyncSession, shard: int) -> None:
        """Add to the stored sums; the rows stay locked until the commit.

        Every run that ends updates some of these rows, so all other rows are locked before them,
        and these in a fixed order: otherwise two writers could deadlock.
        """
        await session.flush()
        await _write(session, RunRollupRow, self._cells, shard)
        await _write(session, RunVersionRollupRow, self._version_cells, shard)
        await _write(session, RunPromptRollupRow, self._prompt_cells, shard)
        await add_to_counts(session, self._ended, shard)


async def _write(
    session: AsyncSession, table: type[Table], cells: Mapping[AnyCell, Figures], shard: int
) -> None:
    rows = [_row(cell, cells[cell], shard) for cell in sorted(cells)]
    if rows:
        await session.execute(_upsert(session.get_bind().dialect.name, table), rows)


async def add_to_counts(session: AsyncSession, added: Mapping[str, int], shard: int) -> None:
    """Add the numbers of ended runs by workspace; negative numbers are pruned runs."""
    await session.execute(
        _count_upsert(session.get_bind().dialect.name),
        [
            {"workspace_id": workspace, "shard": shard, "total": number}
            for workspace, number in sorted(added.items())
        ],
    )


def shard_of(instance: str) -> int:
    """Return the shard of a replica."""
    return crc32(instance.encode()) % SHARDS


def _by_model(run: RunRow, steps: Sequence[RunStepRow]) -> dict[tuple[str, str], Figures]:
    figures: dict[tuple[str, str], Figures] = {(run.provider, run.model): _run_figures(run)}
    for step in steps:
        if step.provider:
            called = figures.setdefault((step.provider, step.model[:LONGEST_MODEL]), Figures())
            called.numbers.update(
                calls=1,
                prompt_tokens=step.prompt_tokens,
                cached_tokens=step.cached_tokens,
                output_tokens=step.output_tokens,
                cost_nanos=step.cost_nanos or 0,
            )
    return figures


def _run_figures(run: RunRow) -> Figures:
    numbers = Counter(
        runs=1,
        errors=int(run.status == "error"),
        estimated=int(run.usage_estimated),
        unpriced=int(run.cost_nanos is None),
        latency_ms=run.latency_ms,
    )
    return Figures(numbers, Counter([str(bucket(run.latency_ms))]))


def _row(cell: Cell | PromptCell | VersionCell, figures: Figures, shard: int) -> dict[str, Any]:
    return {
        **cell._asdict(),
        "shard": shard,
        **{name: min(figures.numbers[name], LARGEST_SUM) for name in NUMBERS},
        "latencies": dict(figures.latencies),
    }


@cache
def _upsert(dialect: str, table: type[Table]) -> TextClause:
    language = LANGUAGES[dialect]
    rollups: Any = table.__table__
    insert = language.insert(rollups)
    smaller = func.least if dialect == "postgresql" else func.min
    largest: Any = literal_column(str(LARGEST_SUM))
    sums = {name: smaller(rollups.c[name], largest) + insert.excluded[name] for name in NUMBERS}
    merged: Any = literal_column(MERGED[dialect].format(table=rollups.name))
    return _compiled(dialect, insert, {**sums, "latencies": merged})


@cache
def _count_upsert(dialect: str) -> TextClause:
    insert = LANGUAGES[dialect].insert(RunCountRow.__table__)
    total = RunCountRow.__table__.c.total + insert.excluded.total
    return _compiled(dialect, insert, {"total": total})


def _compiled(dialect: str, insert: Any, changes: dict[str, Any]) -> TextClause:
    """Compile to text: SQLAlchemy compiles an upsert each time, which takes longer than executing
    it, and each run that ends executes four."""
    table = insert.table
    upsert = insert.on_conflict_do_update(
        index_elements=[column.name for column in table.primary_key], set_=changes
    )
    statement = str(upsert.compile(dialect=LANGUAGES[dialect].dialect(paramstyle="named")))
    # The driver declares the types of parameters itself.
    statement = re.sub(r"(:\w+)::\w+", r"\1", statement)
    types = [bindparam(column.name, type_=column.type) for column in table.columns]
    return text(statement).bindparams(*types)
