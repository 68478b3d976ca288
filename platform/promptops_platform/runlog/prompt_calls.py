"""How often prompts were called in the last day, hour by hour, and the cost of the calls."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.clock import Clock
from promptops_platform.db.search import unindexed
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog.rollup_cells import starts
from promptops_platform.runlog.tables import RunPromptRollupRow

HOURS = 24


class DayOfCalls(NamedTuple):
    """Sums over the ended runs that used a prompt; `hours` are model calls, oldest hour first, and
    the cost excludes calls of unknown price."""

    errors: int
    cost_nanos: int
    hours: list[int]


class PromptCalls:
    """Reads the roll-ups of prompts. The caller of this class checks the permission."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def last_day(
        self, transaction: Transaction, workspace_id: str, keys: Sequence[str], env: str | None
    ) -> tuple[datetime, dict[str, DayOfCalls]]:
        """Return the calls of each of these keys in one environment, or with None in all of them,
        in this hour and the 23 before it, and the start of that period. Keys without runs are left
        out."""
        since = starts(self._clock.now())["hour"] - timedelta(hours=HOURS - 1)
        days: dict[str, DayOfCalls] = {}
        for key, start, calls, errors, nanos in await _rows(
            transaction.session, workspace_id, keys, env, since
        ):
            day = days.get(key) or DayOfCalls(0, 0, [0] * HOURS)
            hour = (start - since) // timedelta(hours=1)
            hours = [count + int(calls) * (place == hour) for place, count in enumerate(day.hours)]
            days[key] = DayOfCalls(day.errors + int(errors), day.cost_nanos + int(nanos), hours)
        return since, days


async def _rows(
    session: AsyncSession,
    workspace_id: str,
    keys: Sequence[str],
    env: str | None,
    since: datetime,
) -> Sequence[tuple[str, datetime, int, int, int]]:
    row = RunPromptRollupRow
    query = (
        select(
            row.prompt_key,
            row.starts_at,
            func.sum(row.calls),
            func.sum(row.errors),
            func.sum(row.cost_nanos),
        )
        .where(
            row.prompt_key.in_(keys),
            row.span == "hour",
            row.starts_at >= since,
            unindexed(row.workspace_id) == workspace_id,
        )
        .group_by(row.prompt_key, row.starts_at)
    )
    if env is not None:
        query = query.where(unindexed(row.prompt_env) == env)
    return [row._tuple() for row in await session.execute(query)]
