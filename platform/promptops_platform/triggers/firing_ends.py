"""Ends firings when their runs end."""

from collections.abc import Sequence

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow, RunStepRow
from promptops_platform.triggers import repository


class FiringEnds:
    """A delivery records more about its end itself, if its plan can still be read."""

    def __init__(self, runs: RunLog) -> None:
        self._runs = runs

    def run_ended(
        self, transaction: Transaction, row: RunRow, _steps: Sequence[RunStepRow]
    ) -> None:
        """Handle a run whose end is about to be committed."""
        if row.causes:
            transaction.before_commit(lambda: self._end(transaction, row))

    async def _end(self, transaction: Transaction, row: RunRow) -> None:
        is_completed = row.state == "completed"
        cleared = {} if self._runs.text_policy.keeps_texts else {"event": None}
        await repository.end_with_run(
            transaction.session,
            row.id,
            row.retry_of,
            state="delivered" if is_completed else "failed",
            error="" if is_completed else row.error,
            ended_at=row.finished_at,
            **cleared,
        )
