"""Statistics of runs, read from their roll-ups."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.clock import Clock
from promptops_platform.db.run_tables import RunRollupRow
from promptops_platform.db.search import tested
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest
from promptops_platform.runs.latency import percentile
from promptops_platform.runs.prices import NANOS_A_DOLLAR
from promptops_platform.runs.rollups import NUMBERS, Figures, starts
from promptops_platform.runs.schemas import (
    LatencyPercentiles,
    ProviderCount,
    RunFigures,
    RunStats,
    StatsPoint,
    StatsSeries,
)
from promptops_platform.runs.service import seen_workspaces

Interval = Literal["hour", "day"]
GroupBy = Literal["provider", "model", "key"]

LENGTHS: dict[str, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
# What a series covers without a `since`, and at most.
USUAL = {"hour": timedelta(days=2), "day": timedelta(days=30)}
LONGEST = {"hour": timedelta(days=14), "day": timedelta(days=400)}
# Groups beyond the largest are summed up as one.
MOST_GROUPS = 20
# More rows than that are added up on a thread.
MANY_ROWS = 500

Sums = Row[Any]


@dataclass(frozen=True, slots=True)
class StatsFilter:
    """What is summed up; None filters nothing. With an interval or a group there is a series."""

    source: str | None = None
    key: str | None = None
    provider: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    interval: Interval | None = None
    group_by: GroupBy | None = None

    @property
    def has_series(self) -> bool:
        return self.interval is not None or self.group_by is not None


@dataclass(frozen=True, slots=True)
class _Period:
    """Whole hours or days, or with the span `all` everything."""

    span: str
    since: datetime | None
    until: datetime | None


class RunStatistics:
    """Sums over the ended runs of the workspaces that exist for the caller."""

    def __init__(self, grants: Grants, clock: Clock) -> None:
        self._grants = grants
        self._clock = clock

    async def read(
        self,
        transaction: Transaction,
        wanted: StatsFilter,
        *,
        actor: Actor,
        workspace: str | None,
    ) -> RunStats:
        """Totals and, where it is asked for, a series. Raises NotFound for an unknown workspace,
        BadRequest for a period that is empty or too long for a series."""
        workspaces = seen_workspaces(self._grants, actor, workspace)
        period = self._period(wanted)
        session = transaction.session
        grain = "model" if wanted.key is None else "full"
        rows = await _rows(session, grain, wanted, period, workspaces)
        others = rows
        if wanted.group_by == "key" and wanted.key is None:
            alone = wanted.provider is None and wanted.model is None
            others = await _rows(session, "key" if alone else "full", wanted, period, workspaces)
        if len(rows) + len(others) > MANY_ROWS:
            return await asyncio.to_thread(_stats, wanted, period, rows, others)
        return _stats(wanted, period, rows, others)

    def _period(self, wanted: StatsFilter) -> _Period:
        """The period, its ends moved outwards to whole hours or days."""
        since, until = wanted.since, wanted.until
        if since is None and until is None and not wanted.has_series:
            return _Period("all", None, None)
        span = wanted.interval or "day"
        last = until or self._clock.now()
        if since is None and wanted.has_series:
            since = last - USUAL[span]
        if since is not None:
            since = starts(since)[span]
        # The hour or day of the last instant before `until`, and to its end.
        end = starts(last - timedelta(microseconds=1))[span] + LENGTHS[span]
        if since is not None and since >= end:
            raise BadRequest(
                f"since: {since.isoformat()} is not before until, {last.isoformat()}; swap them"
            )
        if wanted.has_series and since is not None and end - since > LONGEST[span]:
            raise BadRequest(
                f"since: a series by the {span} covers at most {LONGEST[span].days} days; "
                "ask for a shorter period" + (", or for interval=day" if span == "hour" else "")
            )
        return _Period(span, since, end)


async def _rows(
    session: AsyncSession,
    grain: str,
    wanted: StatsFilter,
    period: _Period,
    workspaces: Sequence[str] | None,
) -> Sequence[Sums]:
    rows = await session.execute(_query(grain, wanted, period, workspaces))
    return rows.all()


def _query(
    grain: str, wanted: StatsFilter, period: _Period, workspaces: Sequence[str] | None
) -> Select[Any]:
    row = RunRollupRow
    query = select(
        row.starts_at,
        row.ref_key.label("key"),
        row.provider,
        row.model,
        *(getattr(row, name) for name in NUMBERS),
        row.latencies,
    ).where(row.grain == grain, row.span == period.span)
    if workspaces is not None:
        column: Any = row.workspace_id if wanted.key is None else tested(row.workspace_id)
        query = query.where(column.in_(workspaces))
    if wanted.key is not None:
        query = query.where(row.ref_key == wanted.key)
    for name in ("source", "provider", "model"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(tested(getattr(row, name)) == value)
    if period.since is not None:
        query = query.where(row.starts_at >= period.since)
    if period.until is not None:
        query = query.where(row.starts_at < period.until)
    return query


def _stats(
    wanted: StatsFilter, period: _Period, rows: Sequence[Sums], others: Sequence[Sums]
) -> RunStats:
    figures = _sum(rows)
    number = figures.numbers
    runs = number["runs"]
    return RunStats(
        **_figures(figures).model_dump(),
        avg_latency_ms=round(number["latency_ms"] / runs, 1) if runs else 0.0,
        by_provider=_by_provider(rows),
        since=period.since,
        until=period.until,
        interval=None if period.span == "all" else period.span,
        series=_series(wanted.group_by, others) if wanted.has_series else [],
    )


def _sum(rows: Iterable[Sums]) -> Figures:
    total = Figures()
    for row in rows:
        for name in NUMBERS:
            total.numbers[name] += getattr(row, name)
        for each, number in row.latencies.items():
            total.latencies[int(each)] += number
    return total


def _figures(figures: Figures) -> RunFigures:
    number = figures.numbers
    return RunFigures(
        total=number["runs"],
        ok=number["runs"] - number["errors"],
        error=number["errors"],
        calls=number["calls"],
        prompt_tokens=number["prompt_tokens"],
        cached_tokens=number["cached_tokens"],
        output_tokens=number["output_tokens"],
        usage_estimated=number["estimated"],
        cost_usd=number["cost_nanos"] / NANOS_A_DOLLAR,
        cost_unknown=number["unpriced"],
        latency_ms=LatencyPercentiles(
            p50=percentile(figures.latencies, 0.5),
            p95=percentile(figures.latencies, 0.95),
            p99=percentile(figures.latencies, 0.99),
        ),
    )


def _by_provider(rows: Iterable[Sums]) -> list[ProviderCount]:
    counts: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row.provider and row.runs:
            counts[row.provider] += row.runs
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [ProviderCount(provider=provider, count=number) for provider, number in ordered]


def _series(group_by: GroupBy | None, rows: Sequence[Sums]) -> list[StatsSeries]:
    """A series for each of the largest groups, and one for all others together."""
    if group_by is None:
        return [StatsSeries(group=None, points=_points(rows))] if rows else []
    groups = _grouped(rows, lambda row: str(getattr(row, group_by)))
    ordered = sorted(groups, key=lambda name: (-_size(groups[name]), name))
    largest, rest = ordered[:MOST_GROUPS], ordered[MOST_GROUPS:]
    found = [StatsSeries(group=name, points=_points(groups[name])) for name in largest]
    if rest:
        others = [row for name in rest for row in groups[name]]
        found.append(StatsSeries(group=None, points=_points(others)))
    return found


def _size(rows: Iterable[Sums]) -> int:
    """Groups are compared by their runs, and without any by their calls."""
    return sum(row.runs + row.calls for row in rows)


def _points(rows: Iterable[Sums]) -> list[StatsPoint]:
    by_time = _grouped(rows, lambda row: row.starts_at)
    return [
        StatsPoint(start=start, **_figures(_sum(by_time[start])).model_dump())
        for start in sorted(by_time)
    ]


def _grouped(rows: Iterable[Sums], group: Callable[[Sums], Any]) -> dict[Any, list[Sums]]:
    found: defaultdict[Any, list[Sums]] = defaultdict(list)
    for row in rows:
        found[group(row)].append(row)
    return found
