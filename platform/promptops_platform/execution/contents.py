"""Suspended runs as contents of a workspace."""

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.execution import repository
from promptops_platform.execution.suspended_flow_runs import SuspendedFlowRuns

MESSAGE = "The workspace of the run was deleted"


class SuspendedRunContents:
    """They are deleted with the other runs; this ends their suspended flow runs in Prefect."""

    noun = "suspended run"
    removal: str | None = None

    def __init__(self) -> None:
        self.flow_runs: SuspendedFlowRuns | None = None

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """They are counted among the runs."""
        return 0

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Have Prefect show that their flow runs have ended."""
        assert self.flow_runs is not None
        for flow_run_id in await repository.suspended_in(transaction.session, workspace_id):
            await self.flow_runs.end(transaction, flow_run_id, MESSAGE)
        return 0
