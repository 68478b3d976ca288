"""Applies change requests: exactly what was proposed, once."""

from collections.abc import Mapping, Sequence

from promptops_platform.access.actor import Actor
from promptops_platform.change_requests.journal import RequestJournal
from promptops_platform.change_requests.rights import Outdated, Rights, require_open
from promptops_platform.change_requests.schemas import ChangeRequestDetail
from promptops_platform.change_requests.served import GuardedKind
from promptops_platform.change_requests.service import ChangeRequestService
from promptops_platform.change_requests.tables import (
    APPLIED,
    ChangeRequestApprovalRow,
    ChangeRequestRow,
)
from promptops_platform.change_requests.views import RequestViews, order_of, summary_of
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.gate import GatePass, ServedGate
from promptops_platform.errors import BadRequest
from promptops_platform.workspaces.tables import EnvironmentRow


class Applying:
    """Applies requests that have their approvals."""

    def __init__(
        self,
        *,
        requests: ChangeRequestService,
        kinds: Mapping[str, GuardedKind],
        rights: Rights,
        gate: ServedGate,
        views: RequestViews,
        journal: RequestJournal,
    ) -> None:
        self._requests = requests
        self._kinds = kinds
        self._rights = rights
        self._gate = gate
        self._views = views
        self._journal = journal

    async def apply(
        self,
        transaction: Transaction,
        request_id: str,
        *,
        actor: Actor,
        bypass: bool = False,
        reason: str = "",
    ) -> ChangeRequestDetail:
        """Make the proposed change; of concurrent callers only one succeeds.

        With `bypass` an admin applies it without the approvals, and gives a reason. Raises Conflict
        if approvals are missing, Outdated if something else is served meanwhile, NotOpen,
        Forbidden, and the errors of the change itself.
        """
        row, environment = await self._requests.locked(transaction, request_id, actor)
        require_open(row)
        approvals = await self._requests.approvals(transaction, row)
        self._require_rights(row, environment, len(approvals), actor, bypass, reason)
        if outdated := await self._views.outdated(transaction, row, lock=True):
            raise Outdated(outdated)
        self._gate.open(transaction, GatePass(None if bypass else len(approvals)))
        await self._kinds[row.kind].carry_out(transaction, order_of(row), actor)
        row.bypassed = bypass
        await self._requests.close(transaction, row, APPLIED, actor)
        action = "bypass" if bypass else "apply"
        summary = _summary(row, approvals, reason if bypass else "")
        self._journal.record(transaction, row, action, actor, reason, summary=summary)
        await transaction.session.flush()
        return await self._views.detailed(transaction, row, actor=actor)

    def _require_rights(
        self,
        row: ChangeRequestRow,
        environment: EnvironmentRow | None,
        approvals: int,
        actor: Actor,
        bypass: bool,
        reason: str,
    ) -> None:
        if not bypass:
            self._rights.require_change(row, environment, actor)
            self._rights.require_approved(row, environment, approvals)
            return
        self._rights.require_bypass(row, environment, actor)
        if not reason.strip():
            raise BadRequest("reason: is required with bypass; say why the change can't wait")


def _summary(
    row: ChangeRequestRow, approvals: Sequence[ChangeRequestApprovalRow], reason: str
) -> str:
    names = ", ".join(approval.username for approval in approvals) or "nobody"
    without = f", without the required approvals: {reason}" if reason else ""
    return (
        f"applied change request {row.id}: {summary_of(row)}; proposed by {row.author}, approved "
        f"by {names}{without}"
    )
