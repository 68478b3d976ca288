"""Who has started runs of an agent or a workflow recently."""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from promptops_platform.clock import Clock
from promptops_platform.db.search import unindexed
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog.tables import RunRow

DAYS = 7
# For a key with very many runs, only this many of its newest runs are read.
MOST_READ = 10_000
MOST_SHOWN = 20


class RunCaller(NamedTuple):
    """A user or an API key, and the number of runs that it has started."""

    name: str
    runs: int


class RunCallers:
    """Reads the run log. The caller of this class checks the permission."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def of_last_week(
        self, transaction: Transaction, workspace_id: str, source: str, key: str
    ) -> list[RunCaller]:
        """Return who has started ended runs of this key within a week, most runs first."""
        newest = (
            select(RunRow.user_name)
            .where(
                RunRow.status != "running",
                RunRow.ref_key == key,
                RunRow.created_at >= self._clock.now() - timedelta(days=DAYS),
                unindexed(RunRow.workspace_id) == workspace_id,
                unindexed(RunRow.source) == source,
            )
            .order_by(RunRow.created_at.desc())
            .limit(MOST_READ)
            .subquery()
        )
        runs = func.count()
        query = (
            select(newest.c.user_name, runs)
            .group_by(newest.c.user_name)
            .order_by(runs.desc(), newest.c.user_name)
            .limit(MOST_SHOWN)
        )
        return [RunCaller(*row) for row in await transaction.session.execute(query)]
