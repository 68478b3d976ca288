"""Statistics of runs, read from their roll-ups."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest
from promptops_platform.runlog.reading import seen_workspaces
from promptops_platform.runlog.rollup_cells import starts
from promptops_platform.runlog.rollup_reading import (
    GROUP_COLUMNS,
    MOST_GROUPS,
    Group,
    Period,
    RollupReader,
    StatsFilter,
    Sums,
)
from promptops_platform.runlog.schemas import UsedPromptVersion
from promptops_platform.runlog.stats_schemas import (
    PreviousStats,
    ProviderCount,
    RunDefinition,
    RunStats,
    StatsSeries,
)
from promptops_platform.runlog.stats_totals import Totals, added, by_time

LENGTHS: dict[str, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
# The default and the maximum length of a series.
USUAL = {"hour": timedelta(days=2), "day": timedelta(days=30)}
LONGEST = {"hour": timedelta(days=14), "day": timedelta(days=400)}
# With more rows, each of which may contain many histograms, the sums are computed on a thread.
MANY_ROWS = 100
# Groupings whose largest groups are selected by SQL, as there may be many.
MANY_GROUPS = ("key", "prompt", "prompt_version", "version")


@dataclass(frozen=True, slots=True)
class _Reading:
    """The roll-ups of a period: those of its totals, and of its largest groups if these are read
    separately. `whole` is the sum of all groups."""

    period: Period
    rows: Sequence[Sums]
    members: Sequence[Sums] | None
    whole: Sequence[Sums]

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.members or ())


class RunStatistics:
    """Sums over the ended runs of the workspaces that the caller may see."""

    def __init__(self, grants: Grants, clock: Clock) -> None:
        self._grants = grants
        self._clock = clock

    async def read(
        self,
        transaction: Transaction,
        filters: StatsFilter,
        *,
        actor: Actor,
        workspace: str | None,
    ) -> RunStats:
        """Return totals and, if requested, a series. Raises NotFound for an unknown workspace,
        BadRequest for a period that is empty or too long for a series, and for filters that can't
        be combined."""
        _refuse_unreadable(filters)
        period = self._period(filters)
        workspaces = seen_workspaces(self._grants, actor, workspace)
        reader = RollupReader(transaction.session, filters, workspaces)
        groups = await reader.largest(period) if filters.group_by in MANY_GROUPS else None
        readings = [await _read(reader, period, groups)]
        providers = await reader.providers(period)
        if filters.compare_days is not None:
            readings.append(await _read(reader, _earlier(period, filters.compare_days), groups))
        if sum(reading.size for reading in readings) > MANY_ROWS:
            return await asyncio.to_thread(_stats, filters, readings, providers)
        return _stats(filters, readings, providers)

    def _period(self, filters: StatsFilter) -> Period:
        """Return the period, extended to whole hours or days."""
        since, until = filters.since, filters.until
        is_timed = filters.is_of_prompts or filters.is_of_versions
        has_time = filters.has_series or is_timed or filters.compare_days is not None
        if since is None and until is None and not has_time:
            return Period("all", None, None)
        span = filters.interval or "day"
        last = until or self._clock.now()
        if since is None and has_time:
            since = last - USUAL[span]
        if since is not None:
            since = starts(since)[span]
        # From the hour or day of the last instant before `until` to its end.
        end = starts(last - timedelta(microseconds=1))[span] + LENGTHS[span]
        if since is not None and since >= end:
            raise BadRequest(
                f"since: {since.isoformat()} is not before until, {last.isoformat()}; swap them"
            )
        if has_time and since is not None and end - since > LONGEST[span]:
            raise BadRequest(
                f"since: a series by the {span} covers at most {LONGEST[span].days} days; "
                "ask for a shorter period" + (", or for interval=day" if span == "hour" else "")
            )
        return Period(span, since, end)


async def _read(reader: RollupReader, period: Period, groups: Sequence[Group] | None) -> _Reading:
    rows = await reader.totals(period)
    if reader.filters.group_by == "state":
        return _Reading(period, rows, await reader.by_state(period), rows)
    members = None if groups is None else await reader.members(period, groups)
    whole = await _whole(reader, period, rows)
    return _Reading(period, rows, members, whole)


async def _whole(reader: RollupReader, period: Period, rows: Sequence[Sums]) -> Sequence[Sums]:
    """Return the sum of all groups, corrected because a run counts under each prompt that it
    used."""
    filters = reader.filters
    if filters.prompt is None and filters.is_of_prompts:
        return [*rows, *await reader.overlap(period)]
    if filters.group_by == "prompt_version":
        return [row for row in rows if row.prompt_env and row.prompt_version]
    return rows


def _earlier(period: Period, days: int) -> Period:
    by = timedelta(days=days)
    since, until = period.since, period.until
    return Period(period.span, since and since - by, until and until - by)


def _refuse_unreadable(filters: StatsFilter) -> None:
    """Refuse what no roll-up contains."""
    if filters.version is not None and filters.key is None:
        raise BadRequest("version: has no effect without key; send the definition's key as well")
    if filters.prompt is None:
        for name in ("prompt_env", "prompt_version"):
            if getattr(filters, name) is not None:
                raise BadRequest(
                    f"{name}: has no effect without prompt; send the prompt's key as well"
                )
    if not filters.is_of_prompts:
        return
    if filters.key is not None or (filters.prompt is not None and filters.group_by == "key"):
        raise BadRequest(
            "key: statistics of prompts can't be grouped by the key of the run; leave out key, or "
            "prompt and a grouping by prompt"
        )
    if filters.state is not None or filters.group_by in ("version", "state"):
        raise BadRequest(
            "state: statistics of prompts don't have states and versions of definitions; leave out "
            "those, or prompt and a grouping by prompt"
        )


def _stats(
    filters: StatsFilter, readings: Sequence[_Reading], providers: Mapping[str, int]
) -> RunStats:
    reading = readings[0]
    period, times = reading.period, by_time(reading.rows)
    whole = added(times.values())
    groups = _largest(filters, reading)
    previous = _previous(filters, readings[1], groups) if len(readings) > 1 else None
    return RunStats(
        **dict(whole.figures()),
        avg_latency_ms=whole.mean,
        by_provider=_by_provider(providers),
        since=period.since,
        until=period.until,
        interval=None if period.span == "all" else period.span,
        series=_series(filters, reading, times, groups),
        previous=previous,
    )


def _previous(
    filters: StatsFilter, reading: _Reading, groups: Sequence[Group] | None
) -> PreviousStats:
    """Return the figures of the earlier period, with the groups of the period that it is compared
    with."""
    times = by_time(reading.rows)
    whole = added(times.values())
    return PreviousStats(
        **dict(whole.figures()),
        avg_latency_ms=whole.mean,
        since=reading.period.since,
        until=reading.period.until,
        series=_series(filters, reading, times, groups),
    )


def _by_provider(providers: Mapping[str, int]) -> list[ProviderCount]:
    ordered = sorted(providers.items(), key=lambda item: (-item[1], item[0]))
    return [ProviderCount(provider=provider, count=number) for provider, number in ordered]


def _group_of(row: Sums, names: Group) -> Group:
    return tuple(getattr(row, name) for name in names)


def _members(filters: StatsFilter, reading: _Reading) -> dict[Group, list[Sums]]:
    names = GROUP_COLUMNS[filters.group_by] if filters.group_by else ()
    members: defaultdict[Group, list[Sums]] = defaultdict(list)
    for row in reading.rows if reading.members is None else reading.members:
        members[_group_of(row, names)].append(row)
    return members


def _largest(filters: StatsFilter, reading: _Reading) -> list[Group] | None:
    """Rank groups by their runs, or by their calls if they have none."""
    if filters.group_by is None:
        return None
    members = _members(filters, reading)
    sizes = {name: sum(_size(filters, row) for row in rows) for name, rows in members.items()}
    return sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_GROUPS]


def _size(filters: StatsFilter, row: Sums) -> int:
    return int(row.cost_nanos if filters.rank_by == "cost" else row.runs + row.calls)


def _series(
    filters: StatsFilter,
    reading: _Reading,
    times: Mapping[datetime, Totals],
    groups: Sequence[Group] | None,
) -> list[StatsSeries]:
    """Return a series for each of the groups, and one for all others together."""
    if not filters.has_series or not times:
        return []
    if groups is None:
        return [_one_series(filters, None, times)]
    members = _members(filters, reading)
    shown = {name: by_time(members[name]) for name in groups if name in members}
    series = [_one_series(filters, name, totals) for name, totals in shown.items()]
    whole = times if reading.whole is reading.rows else by_time(reading.whole)
    others = _without(whole, shown.values())
    return [*series, _one_series(filters, None, others)] if others else series


def _one_series(
    filters: StatsFilter, group: Group | None, times: Mapping[datetime, Totals]
) -> StatsSeries:
    return StatsSeries(
        group=None if group is None else _name(group),
        prompt=_prompt(group),
        definition=_definition(group),
        figures=added(times.values()).figures(),
        points=[times[start].point(start) for start in sorted(times)] if filters.points else [],
    )


def _name(group: Group) -> str:
    """`v3` of a prompt in two environments are two groups."""
    if len(group) == 1:
        return group[0]
    if len(group) == 2:
        key, version = group
        return f"{key}@{version}" if version else key
    key, env, version = group
    return f"{key}@{version} ({env})"


def _definition(group: Group | None) -> RunDefinition | None:
    if group is None or len(group) != 2:
        return None
    return RunDefinition(key=group[0], version=group[1] or None)


def _prompt(group: Group | None) -> UsedPromptVersion | None:
    if group is None or len(group) != 3:
        return None
    key, env, version = group
    return UsedPromptVersion(key=key, env=env, version=version)


def _without(
    times: Mapping[datetime, Totals], groups: Iterable[Mapping[datetime, Totals]]
) -> dict[datetime, Totals]:
    """Return what remains of the total without these groups."""
    left = {start: added([totals]) for start, totals in times.items()}
    for group in groups:
        for start, totals in group.items():
            left[start].add(totals, -1)
    return {start: totals for start, totals in left.items() if any(totals.numbers)}
