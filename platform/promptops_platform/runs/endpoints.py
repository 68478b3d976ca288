"""Routes of the run log, of its statistics, and of the prices that it counts with."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.http.envelope import CappedPage, Data
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.transactions import Read
from promptops_platform.runs.call_log import CallLog
from promptops_platform.runs.prices import PriceTable
from promptops_platform.runs.schemas import Prices, Run, RunDetail, RunStats, RunStatus
from promptops_platform.runs.search import RunFilter
from promptops_platform.runs.service import RunLog
from promptops_platform.runs.statistics import GroupBy, Interval, RunStatistics, StatsFilter
from promptops_platform.text import OptionalLine, OptionalTime, ResourceId


async def _up_to_date(request: Request) -> None:
    """What was answered has to be found in the log."""
    calls: CallLog = request.app.state.call_log
    await calls.written()


router = APIRouter(tags=["runs"], dependencies=[Depends(_up_to_date)])


def _service(request: Request) -> RunLog:
    service: RunLog = request.app.state.runs
    return service


def _statistics(request: Request) -> RunStatistics:
    statistics: RunStatistics = request.app.state.run_statistics
    return statistics


Source = Annotated[OptionalLine, Query(description="`playground`, `agent` or `workflow`.")]
Key = Annotated[OptionalLine, Query(description="`ref_key` of the runs.")]
Provider = Annotated[OptionalLine, Query(description="The one that the run ended with.")]
Workspace = Annotated[OptionalLine, Query(description="Id or slug.")]
Status = Annotated[RunStatus | None, Query(description="Without it, the runs that have ended.")]
Before = Annotated[
    OptionalLine, Query(description="Id of a run: only those before it, however deep.")
]


def _run_filter(
    source: Source = None,
    key: Key = None,
    status: Status = None,
    provider: Provider = None,
    model: OptionalLine = None,
    user: Annotated[OptionalLine, Query(description="Who asked for it.")] = None,
    since: Annotated[OptionalTime, Query(description="Inclusive.")] = None,
    until: Annotated[OptionalTime, Query(description="Exclusive.")] = None,
) -> RunFilter:
    return RunFilter(source, key, status, provider, model, user, since=since, until=until)


def _stats_filter(
    source: Source = None,
    key: Key = None,
    provider: Provider = None,
    model: OptionalLine = None,
    since: Annotated[
        OptionalTime, Query(description="Moved back to a whole hour or day, in UTC.")
    ] = None,
    until: Annotated[
        OptionalTime, Query(description="Moved on to a whole hour or day, in UTC.")
    ] = None,
    interval: Annotated[
        Interval | None, Query(description="Asks for a series, by the hour or the day.")
    ] = None,
    group_by: Annotated[
        GroupBy | None, Query(description="Asks for a series of each, by the day if not told.")
    ] = None,
) -> StatsFilter:
    return StatsFilter(source, key, provider, model, since, until, interval, group_by)


Service = Annotated[RunLog, Depends(_service)]
Statistics = Annotated[RunStatistics, Depends(_statistics)]


@router.get("/api/runs")
async def list_runs(
    service: Service,
    transaction: Read,
    wanted: Annotated[RunFilter, Depends(_run_filter)],
    workspace: Workspace = None,
    before: Before = None,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.RUNS_READ),
) -> CappedPage[Run]:
    """Runs, newest first."""
    rows, total = await service.page(
        transaction,
        wanted,
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


@router.get("/api/runs/stats")
async def run_stats(
    statistics: Statistics,
    transaction: Read,
    wanted: Annotated[StatsFilter, Depends(_stats_filter)],
    workspace: Workspace = None,
    actor: Actor = permits(Permission.RUNS_STATS),
) -> RunStats:
    """Totals over the runs that have ended, and on request how they moved over time."""
    return await statistics.read(transaction, wanted, actor=actor, workspace=workspace)


@router.get("/api/runs/{run_id}")
async def get_run(
    run_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[RunDetail]:
    """A run with its inputs, its output and its finished steps."""
    row = await service.get(transaction, run_id, actor=actor)
    return Data(data=RunDetail.with_steps(row, await service.steps(transaction, run_id)))


@router.get("/api/prices")
async def list_prices(
    request: Request, _actor: Actor = permits(Permission.RUNS_READ)
) -> Data[Prices]:
    """What model calls are charged by."""
    table: PriceTable = request.app.state.prices
    return Data(data=Prices.of(table))
