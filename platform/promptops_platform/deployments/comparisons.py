"""The results of comparing Prefect with the platform, stored for later readers."""

from collections import Counter
from datetime import datetime

from promptops_flows.protocol.deployment_messages import Reconciled
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.tables import PrefectComparisonRow

# The limit of each list.
MOST_NAMES = 20


class Comparisons:
    """`corrections` are those of this process, by action."""

    def __init__(self, work_pool: str) -> None:
        self._work_pool = work_pool
        self.corrections: Counter[str] = Counter()

    async def record(self, transaction: Transaction, answer: Reconciled, now: datetime) -> None:
        """Store the result of a comparison."""
        session = transaction.session
        row = await session.get(PrefectComparisonRow, self._work_pool)
        if row is None:
            row = PrefectComparisonRow(
                work_pool=self._work_pool, created=[], corrected=[], removed=[], timers=0
            )
            session.add(row)
        row.compared_at, row.refused = now, len(answer.refused)
        if not is_different(answer):
            return
        row.corrected_at, row.timers = now, answer.timers
        row.created = list(answer.created[:MOST_NAMES])
        row.corrected = list(answer.corrected[:MOST_NAMES])
        row.removed = list(answer.removed[:MOST_NAMES])

    def count(self, answer: Reconciled) -> None:
        """Count the corrections for the metrics."""
        self.corrections["created"] += len(answer.created)
        self.corrections["corrected"] += len(answer.corrected)
        self.corrections["removed"] += len(answer.removed)
        self.corrections["timers"] += answer.timers

    async def last(self, transaction: Transaction) -> PrefectComparisonRow | None:
        """Return the last comparison of any replica."""
        return await transaction.session.get(PrefectComparisonRow, self._work_pool)


def is_different(answer: Reconciled) -> bool:
    """Whether anything in Prefect was different."""
    return bool(answer.created or answer.corrected or answer.removed or answer.timers)
