"""Roll-ups of runs: what a run that ends adds to them, and the SQL that adds it up."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.run_tables import RunCountRow, RunRollupRow, RunRow, RunStepRow
from promptops_platform.runs.latency import bucket

# A label may be longer; an index may not.
LONGEST_MODEL = 200
# A sum stays at this, so that the next one can be added to it within 64 bits.
LARGEST_SUM = 2**62 - 1
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = (
    *("runs", "errors", "estimated", "unpriced", "latency_ms", "calls"),
    *("prompt_tokens", "cached_tokens", "output_tokens", "cost_nanos"),
)

# The sum of two histograms, of the stored one and the one that comes in.
MERGED = {
    "sqlite": """(SELECT json_group_object(key, number) FROM (
        SELECT key, sum(value) AS number FROM (
          SELECT key, value FROM json_each(run_rollups.latencies)
          UNION ALL SELECT key, value FROM json_each(excluded.latencies)
        ) GROUP BY key))""",
    "postgresql": """(SELECT coalesce(jsonb_object_agg(key, number), '{}') FROM (
        SELECT key, sum(value::bigint) AS number FROM (
          SELECT key, value FROM jsonb_each_text(run_rollups.latencies)
          UNION ALL SELECT key, value FROM jsonb_each_text(excluded.latencies)
        ) AS both_of_them GROUP BY key) AS summed)""",
}


class Cell(NamedTuple):
    """What one row of the roll-ups is about; see `RunRollupRow`."""

    workspace_id: str
    grain: str
    span: str
    starts_at: datetime
    source: str
    ref_key: str
    provider: str
    model: str


@dataclass
class Figures:
    """What runs add up to; the histogram's buckets are texts, as JSON has them."""

    numbers: Counter[str] = field(default_factory=Counter)
    latencies: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Figures") -> None:
        self.numbers.update(other.numbers)
        self.latencies.update(other.latencies)

    def take(self, other: "Figures") -> None:
        """Take away what is a part of these."""
        self.numbers.subtract(other.numbers)
        self.latencies.subtract(other.latencies)


class Additions:
    """What the runs that end in one transaction add."""

    def __init__(self) -> None:
        self._cells: dict[Cell, Figures] = {}
        self._ended: Counter[str] = Counter()

    def add(self, run: RunRow, steps: Sequence[RunStepRow]) -> None:
        """Count a run that has ended."""
        self._ended[run.workspace_id] += 1
        for (provider, model), figures in _by_model(run, steps).items():
            for cell in _cells(run, provider, model):
                self._cells.setdefault(cell, Figures()).add(figures)

    async def write(self, session: AsyncSession, shard: int) -> None:
        """Add to what is stored; the rows stay locked until the commit.

        Every run that ends wants some of them, so all other rows are locked before, and these in
        one order: else two writers could wait for each other.
        """
        await session.flush()
        dialect = session.get_bind().dialect.name
        rows = [_row(cell, self._cells[cell], shard) for cell in sorted(self._cells)]
        await session.execute(_upsert(dialect), rows)
        await add_to_counts(session, self._ended, shard)


async def add_to_counts(session: AsyncSession, added: Mapping[str, int], shard: int) -> None:
    """Count ended runs by workspace, or with a negative number those that were pruned."""
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert = table.insert(RunCountRow.__table__)
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=["workspace_id", "shard"],
            set_={"total": RunCountRow.__table__.c.total + insert.excluded.total},
        ),
        [
            {"workspace_id": workspace, "shard": shard, "total": number}
            for workspace, number in sorted(added.items())
        ],
    )


def starts(at: datetime) -> dict[str, datetime]:
    """When the hour, the day and all of time began of which this is a part, in UTC."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return {"hour": hour, "day": hour.replace(hour=0), "all": BEGINNING}


def _by_model(run: RunRow, steps: Sequence[RunStepRow]) -> dict[tuple[str, str], Figures]:
    found: dict[tuple[str, str], Figures] = {(run.provider, run.model): _run_figures(run)}
    for step in steps:
        if step.provider:
            called = found.setdefault((step.provider, step.model[:LONGEST_MODEL]), Figures())
            called.numbers.update(
                calls=1,
                prompt_tokens=step.prompt_tokens,
                cached_tokens=step.cached_tokens,
                output_tokens=step.output_tokens,
                cost_nanos=step.cost_nanos or 0,
            )
    return found


def _run_figures(run: RunRow) -> Figures:
    numbers = Counter(
        runs=1,
        errors=int(run.status == "error"),
        estimated=int(run.usage_estimated),
        unpriced=int(run.cost_nanos is None),
        latency_ms=run.latency_ms,
    )
    return Figures(numbers, Counter([str(bucket(run.latency_ms))]))


def _cells(run: RunRow, provider: str, model: str) -> Iterator[Cell]:
    for span, start in starts(run.created_at).items():
        place = (span, start, run.source)
        yield Cell(run.workspace_id, "model", *place, "", provider, model)
        yield Cell(run.workspace_id, "key", *place, run.ref_key, "", "")
        yield Cell(run.workspace_id, "full", *place, run.ref_key, provider, model)


def _row(cell: Cell, figures: Figures, shard: int) -> dict[str, Any]:
    return {
        **cell._asdict(),
        "shard": shard,
        **{name: min(figures.numbers[name], LARGEST_SUM) for name in NUMBERS},
        "latencies": dict(figures.latencies),
    }


def _upsert(dialect: str) -> Any:
    table = postgresql if dialect == "postgresql" else sqlite
    rollups = RunRollupRow.__table__
    insert = table.insert(rollups)
    smaller = func.least if dialect == "postgresql" else func.min
    sums = {name: smaller(rollups.c[name], LARGEST_SUM) + insert.excluded[name] for name in NUMBERS}
    return insert.on_conflict_do_update(
        index_elements=[column.name for column in rollups.primary_key],
        set_={**sums, "latencies": literal_column(MERGED[dialect])},
    )
