"""Fires the triggers for approvals that start to wait, and for their reminders."""

from promptops_platform.access.actor import SYSTEM
from promptops_platform.approvals.reminding import WaitingApproval
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog.service import RunLog
from promptops_platform.triggers.event_sources import approval_event
from promptops_platform.triggers.events import APPROVAL_EVENTS
from promptops_platform.triggers.firing import FiringRecorder
from promptops_platform.triggers.mirror import TriggerMirror
from promptops_platform.workspaces.service import WorkspaceService


class ApprovalNotices:
    """`console_url` is the console's address as people reach it."""

    def __init__(
        self,
        *,
        mirror: TriggerMirror,
        recorder: FiringRecorder,
        runs: RunLog,
        workspaces: WorkspaceService,
        console_url: str,
    ) -> None:
        self._mirror = mirror
        self._recorder = recorder
        self._runs = runs
        self._workspaces = workspaces
        self._console_url = console_url

    async def waits(self, transaction: Transaction, waiting: WaitingApproval) -> None:
        """Fire triggers for an approval that waits; it is about to be committed."""
        if not self._mirror.waits_for(APPROVAL_EVENTS):
            return
        row = waiting.row
        workspace = await self._workspaces.find(transaction, row.workspace_id, actor=SYSTEM)
        url = f"{self._console_url}/w/{workspace.slug}/runs/{row.run_id}"
        causes = tuple(await self._runs.causes_of(transaction, row.run_id))
        await self._recorder.fire(transaction, approval_event(waiting, url, causes))
