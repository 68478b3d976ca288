"""Routes of the run log, of its statistics, and of the price table."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BeforeValidator, Field

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.errors import TooManyRequests
from promptops_platform.field_types import OptionalLine, OptionalTime, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import CappedPage, Data
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.services import provided, services_of
from promptops_platform.http.transactions import Read
from promptops_platform.http.wait_times import wait_seconds
from promptops_platform.runlog.call_log import CallLog
from promptops_platform.runlog.chart_schemas import RunChart
from promptops_platform.runlog.price_schemas import Prices
from promptops_platform.runlog.prices import PriceTable
from promptops_platform.runlog.reading import RunReader
from promptops_platform.runlog.rollup_reading import GroupBy, Interval, RankBy, StatsFilter
from promptops_platform.runlog.schemas import Run, RunDetail
from promptops_platform.runlog.search import RunFilter
from promptops_platform.runlog.states import RunState, RunStatus
from promptops_platform.runlog.statistics import RunStatistics
from promptops_platform.runlog.stats_schemas import RunStats
from promptops_platform.runlog.waiting import LONGEST_WAIT_SECONDS, RunWaits


async def up_to_date(request: Request) -> None:
    """Write pending runs first, so that every run whose response was sent is in the log."""
    calls = services_of(request).get(CallLog)
    await calls.written()


router = APIRouter(tags=["runs"], dependencies=[Depends(up_to_date)])


Source = Annotated[OptionalLine, Query(description="`playground`, `agent` or `workflow`.")]
Key = Annotated[OptionalLine, Query(description="The `ref_key` of the runs.")]
Provider = Annotated[OptionalLine, Query(description="The provider that the run ended with.")]
Prompt = Annotated[
    OptionalLine, Query(description="The key of a registry prompt that the runs used.")
]
PromptEnv = Annotated[
    OptionalLine, Query(description="The prompt's environment; requires `prompt`.")
]
PromptVersion = Annotated[
    OptionalLine,
    Query(description="The prompt's version, or `draft` for the working copy; requires `prompt`."),
]
Workspace = Annotated[OptionalLine, Query(description="A workspace's id or slug.")]
OptionalDays = Annotated[
    Annotated[int, Field(ge=1, le=400)] | None,
    BeforeValidator(lambda value: None if value == "" else value),
]
Status = Annotated[RunStatus | None, Query(description="All runs that have ended by default.")]
State = Annotated[RunState | None, Query(description="The status in more detail.")]
Version = Annotated[OptionalLine, Query(description="The definition's version; requires `key`.")]
Before = Annotated[
    OptionalLine, Query(description="The id of a run: only runs before it, at any depth.")
]


def _run_filter(
    source: Source = None,
    key: Key = None,
    status: Status = None,
    provider: Provider = None,
    model: OptionalLine = None,
    user: Annotated[OptionalLine, Query(description="The name of the user who started it.")] = None,
    since: Annotated[OptionalTime, Query(description="From this time on.")] = None,
    until: Annotated[OptionalTime, Query(description="Before this time.")] = None,
    prompt: Prompt = None,
    prompt_env: PromptEnv = None,
    prompt_version: PromptVersion = None,
    state: State = None,
    version: Version = None,
    retry_of: Annotated[
        OptionalLine,
        Query(description="The id of the run that they retry, whatever their status."),
    ] = None,
) -> RunFilter:
    return RunFilter(
        source,
        key,
        status,
        provider,
        model,
        user,
        since=since,
        until=until,
        prompt=prompt,
        prompt_env=prompt_env,
        prompt_version=prompt_version,
        state=state,
        version=version,
        retry_of=retry_of,
    )


def _stats_filter(
    source: Source = None,
    key: Key = None,
    provider: Provider = None,
    model: OptionalLine = None,
    since: Annotated[
        OptionalTime, Query(description="Rounded down to a whole hour or day in UTC.")
    ] = None,
    until: Annotated[
        OptionalTime, Query(description="Rounded up to a whole hour or day in UTC.")
    ] = None,
    interval: Annotated[
        Interval | None, Query(description="Returns a series by hour or by day.")
    ] = None,
    group_by: Annotated[
        GroupBy | None,
        Query(description="Returns a series for each group, by day unless `interval` is set."),
    ] = None,
    prompt: Prompt = None,
    prompt_env: PromptEnv = None,
    prompt_version: PromptVersion = None,
    state: State = None,
    version: Version = None,
    compare_days: Annotated[
        OptionalDays,
        Query(description="Adds the same period this many days earlier, as `previous`."),
    ] = None,
    rank_by: Annotated[
        RankBy,
        Query(
            description="Whether the largest groups are those with the most runs or the highest "
            "cost."
        ),
    ] = "runs",
    points: Annotated[bool, Query(description="With `false`, the series have no points.")] = True,
) -> StatsFilter:
    return StatsFilter(
        source,
        key,
        provider,
        model,
        since,
        until,
        interval,
        group_by,
        prompt,
        prompt_env,
        prompt_version,
        compare_days,
        rank_by,
        points,
        state,
        version,
    )


Reader = Annotated[RunReader, provided(RunReader)]
Statistics = Annotated[RunStatistics, provided(RunStatistics)]


@router.get("/api/runs")
async def list_runs(
    runs: Reader,
    transaction: Read,
    filters: Annotated[RunFilter, Depends(_run_filter)],
    workspace: Workspace = None,
    before: Before = None,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.RUNS_READ),
) -> CappedPage[Run]:
    """List runs, newest first."""
    rows, total = await runs.page(
        transaction,
        filters,
        actor=actor,
        workspace=workspace,
        limit=limit,
        offset=offset,
        before=before,
    )
    return CappedPage(
        data=[Run.listed(row) for row in rows],
        total=total.number,
        total_is_at_least=total.is_at_least,
    )


@router.get("/api/runs/stats", summary="Get Run Statistics")
async def run_stats(
    statistics: Statistics,
    transaction: Read,
    filters: Annotated[StatsFilter, Depends(_stats_filter)],
    workspace: Workspace = None,
    actor: Actor = permits(Permission.RUNS_STATS),
) -> RunStats:
    """Get totals of the runs that have ended and, on request, series over time."""
    return await statistics.read(transaction, filters, actor=actor, workspace=workspace)


@router.get("/api/runs/points", summary="List Run Points")
async def chart_runs(
    runs: Reader,
    transaction: Read,
    filters: Annotated[RunFilter, Depends(_run_filter)],
    workspace: Workspace = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[RunChart]:
    """Get the newest runs as points of time and latency, for a chart that shows outliers."""
    chart = await runs.chart(transaction, filters, actor=actor, workspace=workspace)
    return Data(data=RunChart.of(chart))


@router.get("/api/runs/{run_id}", responses=may_answer(TooManyRequests))
async def get_run(
    run_id: ResourceId,
    waits: Annotated[RunWaits, provided(RunWaits)],
    wait: Annotated[
        OptionalLine, Query(description="How long to wait until the run ends: `10s`, `500ms`.")
    ] = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[RunDetail]:
    """Get a run with its inputs, its output and its finished steps.

    With `wait`, at most 60 seconds, the response is sent when the run has ended or the time is up.
    """
    if wait is None:
        return Data(data=await waits.detail(run_id, actor=actor))
    seconds = wait_seconds(wait, longest=LONGEST_WAIT_SECONDS)
    return Data(data=await waits.ended(run_id, seconds, actor=actor))


@router.get("/api/prices")
async def list_prices(
    request: Request, _actor: Actor = permits(Permission.RUNS_READ)
) -> Data[Prices]:
    """Get the price table that costs are computed with."""
    table = services_of(request).get(PriceTable)
    return Data(data=Prices.of(table))
