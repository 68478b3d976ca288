"""Reads approvals that the caller can see."""

from dataclasses import replace

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.scopes import seen_scopes
from promptops_platform.approvals import repository
from promptops_platform.approvals.deciders import Deciders
from promptops_platform.approvals.messages import ApprovalMessages
from promptops_platform.approvals.repository import ApprovalFilter
from promptops_platform.approvals.schemas import Approval, LinkedApproval
from promptops_platform.approvals.tables import ApprovalRow
from promptops_platform.db.pages import Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.runlog.reading import seen_workspaces


class ApprovalService:
    """Looks up approvals, and shows them to the caller."""

    def __init__(self, *, grants: Grants, deciders: Deciders, messages: ApprovalMessages) -> None:
        self._grants = grants
        self._deciders = deciders
        self._messages = messages

    async def get(self, transaction: Transaction, approval_id: str, *, actor: Actor) -> ApprovalRow:
        """Raises NotFound, also if the caller can't see it."""
        row = await repository.get(transaction.session, approval_id)
        if row is None or not self._deciders.may_see(row, actor=actor):
            raise NotFound(f"approval {approval_id!r} not found; GET /api/approvals lists them")
        return row

    async def page(
        self,
        transaction: Transaction,
        filters: ApprovalFilter,
        part: Part,
        *,
        workspace: str | None,
        actor: Actor,
    ) -> tuple[list[ApprovalRow], int]:
        """Return approvals, newest first by default, and the total; raises NotFound for an unknown
        workspace."""
        workspaces = seen_workspaces(self._grants, actor, workspace)
        visible = replace(filters, workspaces=workspaces, scopes=seen_scopes(actor))
        return await repository.page(transaction.session, visible, part)

    def shown(self, row: ApprovalRow, *, actor: Actor) -> Approval:
        """Return the approval in the form for the caller."""
        may_decide = row.state == repository.WAITING and self._deciders.may_decide(row, actor=actor)
        return Approval.of(
            row,
            message=self._messages.shown(row),
            values=row.answers,
            may_decide=may_decide,
        )

    def linked(self, row: ApprovalRow) -> LinkedApproval:
        """Return the approval in the form for the holder of a link."""
        return LinkedApproval.of(row, message=self._messages.shown(row))
