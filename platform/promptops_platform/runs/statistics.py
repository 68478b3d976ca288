"""Statistics of runs, read from their roll-ups."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Text, cast, func, select, type_coerce
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
        reading = _Reading(
            transaction.session,
            wanted,
            self._period(wanted),
            seen_workspaces(self._grants, actor, workspace),
        )
        rows = await reading.rows("model" if wanted.key is None else "full")
        groups = await reading.groups() if wanted.group_by == "key" else None
        if len(rows) + len(groups or ()) > MANY_ROWS:
            return await asyncio.to_thread(_stats, reading, rows, groups)
        return _stats(reading, rows, groups)

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


class _Reading:
    """What is read for one answer."""

    def __init__(
        self,
        session: AsyncSession,
        wanted: StatsFilter,
        period: _Period,
        workspaces: Sequence[str] | None,
    ) -> None:
        self.wanted = wanted
        self.period = period
        self._session = session
        self._workspaces = workspaces

    async def rows(self, grain: str, keys: Sequence[str] | None = None) -> Sequence[Sums]:
        """The roll-ups that are wanted, of these keys only where they are given."""
        row = RunRollupRow
        query = select(
            row.starts_at,
            row.ref_key.label("key"),
            row.provider,
            row.model,
            type_coerce(cast(row.latencies, Text), Text).label("latencies"),
            *(getattr(row, name) for name in NUMBERS),
        ).where(*self._tests(grain, keys))
        return (await self._session.execute(query)).all()

    async def groups(self) -> Sequence[Sums]:
        """The roll-ups of the keys with most runs."""
        wanted, row = self.wanted, RunRollupRow
        alone = wanted.provider is None and wanted.model is None
        grain = "key" if alone and wanted.key is None else "full"
        size = func.sum(row.runs + row.calls)
        largest = await self._session.scalars(
            select(row.ref_key)
            .where(*self._tests(grain))
            .group_by(row.ref_key)
            .order_by(size.desc(), row.ref_key)
            .limit(MOST_GROUPS)
        )
        return await self.rows(grain, list(largest))

    def _tests(self, grain: str, keys: Sequence[str] | None = None) -> list[ColumnElement[bool]]:
        row, wanted, period = RunRollupRow, self.wanted, self.period
        tests: list[ColumnElement[bool]] = [row.grain == grain, row.span == period.span]
        # The index of keys leaves fewer rows than that of workspaces or of times.
        by_key = wanted.key is not None or keys is not None
        if self._workspaces is not None:
            column: Any = tested(row.workspace_id) if by_key else row.workspace_id
            tests.append(column.in_(self._workspaces))
        if keys is not None:
            tests.append(row.ref_key.in_(keys))
        elif wanted.key is not None:
            tests.append(row.ref_key == wanted.key)
        for name in ("source", "provider", "model"):
            value = getattr(wanted, name)
            if value is not None:
                tests.append(tested(getattr(row, name)) == value)
        if period.since is not None:
            tests.append(row.starts_at >= period.since)
        if period.until is not None:
            tests.append(row.starts_at < period.until)
        return tests


def _stats(reading: _Reading, rows: Sequence[Sums], groups: Sequence[Sums] | None) -> RunStats:
    wanted, period = reading.wanted, reading.period
    by_time = _by_time(rows)
    figures = _added(by_time.values())
    number = figures.numbers
    runs = number["runs"]
    return RunStats(
        **_figures(figures).model_dump(),
        avg_latency_ms=round(number["latency_ms"] / runs) if runs else 0,
        by_provider=_by_provider(rows),
        since=period.since,
        until=period.until,
        interval=None if period.span == "all" else period.span,
        series=_series(wanted, by_time, rows if groups is None else groups),
    )


def _by_time(rows: Sequence[Sums]) -> dict[datetime, Figures]:
    found: defaultdict[datetime, Figures] = defaultdict(Figures)
    # All histograms at once: to parse each by itself takes most of the time.
    histograms = json.loads(f"[{','.join(row.latencies for row in rows)}]")
    for row, histogram in zip(rows, histograms, strict=True):
        figures = found[row.starts_at]
        numbers, latencies = figures.numbers, figures.latencies
        for name, value in zip(NUMBERS, row[-len(NUMBERS) :], strict=True):
            # SQLite has made a float of a sum beyond 64 bits, in earlier releases.
            numbers[name] += int(value)
        for each, value in histogram.items():
            latencies[each] += value
    return found


def _added(parts: Iterable[Figures]) -> Figures:
    total = Figures()
    for each in parts:
        total.add(each)
    return total


def _figures(figures: Figures) -> RunFigures:
    number = figures.numbers
    histogram = {int(each): value for each, value in figures.latencies.items() if value}
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
            p50=percentile(histogram, 0.5),
            p95=percentile(histogram, 0.95),
            p99=percentile(histogram, 0.99),
        ),
    )


def _by_provider(rows: Iterable[Sums]) -> list[ProviderCount]:
    counts: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row.provider and row.runs:
            counts[row.provider] += row.runs
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [ProviderCount(provider=provider, count=number) for provider, number in ordered]


def _series(
    wanted: StatsFilter, by_time: Mapping[datetime, Figures], rows: Sequence[Sums]
) -> list[StatsSeries]:
    """A series for each of the largest groups, and one for all others together."""
    if not wanted.has_series or not by_time:
        return []
    if wanted.group_by is None:
        return [StatsSeries(group=None, points=_points(by_time))]
    members: defaultdict[str, list[Sums]] = defaultdict(list)
    for row in rows:
        members[getattr(row, wanted.group_by)].append(row)
    ordered = sorted(members, key=lambda name: (-_size(members[name]), name))
    largest = {name: _by_time(members[name]) for name in ordered[:MOST_GROUPS]}
    found = [StatsSeries(group=name, points=_points(each)) for name, each in largest.items()]
    if others := _points(_without(by_time, largest.values())):
        found.append(StatsSeries(group=None, points=others))
    return found


def _size(rows: Iterable[Sums]) -> int:
    """Groups are compared by their runs, and without any by their calls."""
    return sum(row.runs + row.calls for row in rows)


def _without(
    by_time: Mapping[datetime, Figures], groups: Iterable[Mapping[datetime, Figures]]
) -> dict[datetime, Figures]:
    """What remains of all when these groups are taken away."""
    left = {start: _added([figures]) for start, figures in by_time.items()}
    for group in groups:
        for start, figures in group.items():
            left[start].take(figures)
    return {start: each for start, each in left.items() if any(each.numbers.values())}


def _points(by_time: Mapping[datetime, Figures]) -> list[StatsPoint]:
    return [
        StatsPoint(start=start, **_figures(by_time[start]).model_dump())
        for start in sorted(by_time)
    ]
