"""SQL of statistics: the roll-ups of a period, and the largest groups in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Text, cast, func, select, tuple_, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.search import unindexed
from promptops_platform.runlog.rollup_cells import (
    BY_STATE,
    BY_VERSION,
    OVERLAP_OF_KEYS,
    OVERLAP_OF_VERSIONS,
    SOURCE_ALONE,
    VERSION_ALONE,
)
from promptops_platform.runlog.rollups import NUMBERS
from promptops_platform.runlog.states import RunState
from promptops_platform.runlog.tables import (
    RunPromptRollupRow,
    RunRollupRow,
    RunVersionRollupRow,
)

Interval = Literal["hour", "day"]
RankBy = Literal["runs", "cost"]
GroupBy = Literal["provider", "model", "key", "prompt", "prompt_version", "version", "state"]
Sums = Row[Any]
# The columns that identify a group.
Group = tuple[str, ...]

# Groups beyond the largest are combined into one.
MOST_GROUPS = 20
GROUP_COLUMNS: dict[str, Group] = {
    "provider": ("provider",),
    "model": ("model",),
    "key": ("ref_key",),
    "prompt": ("prompt_key",),
    "prompt_version": ("prompt_key", "prompt_env", "prompt_version"),
    "version": ("ref_key", "version"),
    "state": ("state",),
}
PROMPT_COLUMNS = GROUP_COLUMNS["prompt_version"]
# The index that restricts a query to a key or a prompt leaves fewer rows than any other.
DRIVING_COLUMNS = ("ref_key", "prompt_key")


@dataclass(frozen=True, slots=True)
class StatsFilter:
    """What to sum up; None doesn't filter. With an interval or a group the response contains a
    series. `compare_days` is how many days earlier the period to compare with is. `rank_by` says
    which groups are the largest; without `points` a series contains its sums only."""

    source: str | None = None
    key: str | None = None
    provider: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    interval: Interval | None = None
    group_by: GroupBy | None = None
    prompt: str | None = None
    prompt_env: str | None = None
    prompt_version: str | None = None
    compare_days: int | None = None
    rank_by: RankBy = "runs"
    points: bool = True
    state: RunState | None = None
    version: str | None = None

    @property
    def has_series(self) -> bool:
        """Whether more than totals is requested."""
        return self.interval is not None or self.group_by is not None

    @property
    def tells_no_models(self) -> bool:
        """Whether runs of all providers and models are summed up."""
        return self.provider is None and self.model is None

    @property
    def is_of_prompts(self) -> bool:
        """Whether groups or filters are by prompt."""
        return self.prompt is not None or self.group_by in ("prompt", "prompt_version")

    @property
    def is_of_versions(self) -> bool:
        """Whether filters are by version or state, which other sums don't contain."""
        return self.version is not None or self.state is not None


@dataclass(frozen=True, slots=True)
class Period:
    """Whole hours or days, or everything with the span `all`."""

    span: str
    since: datetime | None
    until: datetime | None


class RollupReader:
    """Reads what one response needs."""

    def __init__(
        self, session: AsyncSession, filters: StatsFilter, workspaces: Sequence[str] | None
    ) -> None:
        self._session = session
        self.filters = filters
        self._workspaces = workspaces

    async def totals(self, period: Period) -> Sequence[Sums]:
        """Return the matching sums by time, and by group if there are few groups."""
        filters = self.filters
        names: Group = ()
        if filters.group_by in ("provider", "model"):
            names = (filters.group_by,)
        elif filters.prompt is not None and filters.group_by == "prompt_version":
            names = ("prompt_env", "prompt_version")
        table, grain = self._whole()
        if grain == "model" and not names and filters.tells_no_models and period.span != "all":
            grain = SOURCE_ALONE
        return await self._rows(table, self._tests(table, period, grain), names)

    async def by_state(self, period: Period) -> Sequence[Sums]:
        """Return the same sums, by state."""
        grain = BY_STATE if self.filters.key is None else BY_VERSION
        table = RunVersionRollupRow
        return await self._rows(table, self._tests(table, period, grain), ("state",))

    async def providers(self, period: Period) -> dict[str, int]:
        """Return the number of runs that ended with each provider."""
        table, grain = self._whole()
        runs = self._sum(table.runs)
        rows = await self._session.execute(
            select(table.provider, runs)
            .where(*self._tests(table, period, grain), unindexed(table.provider) != "")
            .group_by(table.provider)
            .having(runs > 0)
        )
        return {provider: int(number) for provider, number in rows.tuples()}

    def _whole(self) -> tuple[Any, str]:
        """Return the table and the grain that add up to all matching runs, by provider and
        model."""
        filters = self.filters
        if filters.prompt is not None:
            return RunPromptRollupRow, ""
        if filters.is_of_versions:
            return RunVersionRollupRow, BY_STATE if filters.key is None else BY_VERSION
        return RunRollupRow, "model" if filters.key is None else "full"

    async def overlap(self, period: Period) -> Sequence[Sums]:
        """Return by how much runs are counted more than once in groups of prompts."""
        table = RunPromptRollupRow
        by_key = self.filters.group_by == "prompt"
        grain = OVERLAP_OF_KEYS if by_key else OVERLAP_OF_VERSIONS
        tests = self._tests(table, period, driven=True)
        tests += [table.prompt_key == "", table.prompt_env == grain]
        return await self._rows(table, tests, ())

    async def largest(self, period: Period) -> list[Group]:
        """Return the largest keys, prompts or versions."""
        table, tests, columns = self._grouped(period)
        by_cost = self.filters.rank_by == "cost"
        size = func.sum(table.cost_nanos if by_cost else table.runs + table.calls)
        rows = await self._session.execute(
            select(*columns)
            .where(*tests)
            .group_by(*columns)
            .order_by(size.desc(), *columns)
            .limit(MOST_GROUPS)
        )
        return [tuple(row) for row in rows]

    async def members(self, period: Period, groups: Sequence[Group]) -> Sequence[Sums]:
        """Return the sums of these groups by time."""
        if not groups:
            return []
        table, tests, columns = self._grouped(period, [group[0] for group in groups])
        if len(columns) > 1:
            tests = [*tests, tuple_(*columns).in_(groups)]
        return await self._rows(table, tests, GROUP_COLUMNS[self.filters.group_by or "key"])

    def _grouped(
        self, period: Period, keys: Sequence[str] | None = None
    ) -> tuple[Any, list[ColumnElement[bool]], list[Any]]:
        filters = self.filters
        names = GROUP_COLUMNS[filters.group_by or "key"]
        alone = filters.tells_no_models and filters.key is None
        table, grain = RunRollupRow, "key" if alone else "full"  # type: Any, str
        if filters.is_of_prompts:
            table = RunPromptRollupRow
        elif filters.is_of_versions or filters.group_by == "version":
            alone = filters.tells_no_models and filters.state is None
            table, grain = RunVersionRollupRow, VERSION_ALONE if alone else BY_VERSION
        tests = self._tests(table, period, grain, driven=keys is not None)
        columns = [getattr(table, name) for name in names]
        if table is RunPromptRollupRow:
            # Without the rows that correct sums over several groups.
            tests += [unindexed(column) != "" for column in columns]
        if keys is not None:
            tests.append(columns[0].in_(sorted(set(keys))))
        return table, tests, columns

    async def _rows(
        self, table: Any, tests: Sequence[ColumnElement[bool]], names: Group
    ) -> Sequence[Sums]:
        """Return the sums by time and by these columns; `latencies` are the histograms as texts,
        one after the other."""
        columns = [getattr(table, name) for name in names]
        latencies = type_coerce(cast(table.latencies, Text), Text)
        query = (
            select(
                table.starts_at,
                *columns,
                func.aggregate_strings(latencies, ",").label("latencies"),
                *(self._sum(getattr(table, name)).label(name) for name in NUMBERS),
            )
            .where(*tests)
            .group_by(table.starts_at, *columns)
        )
        return (await self._session.execute(query)).all()

    def _sum(self, column: Any) -> ColumnElement[Any]:
        # SQLite raises an error for a sum beyond 64 bits; PostgreSQL returns a numeric of any
        # length.
        in_sqlite = self._session.get_bind().dialect.name == "sqlite"
        return func.total(column) if in_sqlite else func.sum(column)

    def _tests(
        self,
        table: Any,
        period: Period,
        grain: str = "full",
        *,
        driven: bool = False,
    ) -> list[ColumnElement[bool]]:
        """With `driven` the caller adds the condition whose index is read."""
        tests: list[ColumnElement[bool]] = [table.span == period.span]
        if table is not RunPromptRollupRow:
            tests.append(table.grain == grain)
        equals = self._equals(table)
        driven = driven or any(name in DRIVING_COLUMNS for name in equals)
        for name, value in equals.items():
            column = getattr(table, name)
            tests.append((column if name in DRIVING_COLUMNS else unindexed(column)) == value)
        if self._workspaces is not None:
            column = unindexed(table.workspace_id) if driven else table.workspace_id
            tests.append(column.in_(self._workspaces))
        if period.since is not None:
            tests.append(table.starts_at >= period.since)
        if period.until is not None:
            tests.append(table.starts_at < period.until)
        return tests

    def _equals(self, table: Any) -> dict[str, str]:
        filters = self.filters
        values = {"source": filters.source, "provider": filters.provider, "model": filters.model}
        if table is not RunPromptRollupRow:
            values["ref_key"] = filters.key
        if table is RunVersionRollupRow:
            values |= {"version": filters.version, "state": filters.state}
        if table is RunPromptRollupRow:
            prompt = (filters.prompt, filters.prompt_env, filters.prompt_version)
            values |= dict(zip(PROMPT_COLUMNS, prompt, strict=True))
        return {name: value for name, value in values.items() if value is not None}
