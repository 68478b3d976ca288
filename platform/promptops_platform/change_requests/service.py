"""Reads, discusses and decides change requests."""

from collections.abc import Mapping

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.change_requests import repository
from promptops_platform.change_requests.journal import COMMENT, RequestJournal
from promptops_platform.change_requests.proposals import Proposals
from promptops_platform.change_requests.repository import RequestFilter
from promptops_platform.change_requests.rights import Outdated, Rights, require_open
from promptops_platform.change_requests.schemas import ChangeRequest, ChangeRequestDetail
from promptops_platform.change_requests.served import GuardedKind
from promptops_platform.change_requests.tables import (
    REJECTED,
    TIMER,
    WITHDRAWN,
    ChangeRequestApprovalRow,
    ChangeRequestRow,
)
from promptops_platform.change_requests.views import RequestViews
from promptops_platform.clock import Clock
from promptops_platform.db.pages import WHOLE, Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.timers import Timers
from promptops_platform.errors import NotFound
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.service import WorkspaceService
from promptops_platform.workspaces.tables import EnvironmentRow


class ChangeRequestService:
    """All operations on requests except applying them."""

    def __init__(
        self,
        *,
        grants: Grants,
        kinds: Mapping[str, GuardedKind],
        rights: Rights,
        workspaces: WorkspaceService,
        environments: EnvironmentService,
        proposals: Proposals,
        views: RequestViews,
        journal: RequestJournal,
        timers: Timers,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._kinds = kinds
        self._rights = rights
        self._workspaces = workspaces
        self._environments = environments
        self._proposals = proposals
        self._views = views
        self._journal = journal
        self._timers = timers
        self._clock = clock

    async def search(
        self, transaction: Transaction, filters: RequestFilter, part: Part, *, actor: Actor
    ) -> tuple[list[ChangeRequest], int]:
        """Return requests that the caller can see, newest first, and the total."""
        rows, total = await repository.page(
            transaction.session,
            filters,
            readable=self._grants.readable(actor),
            environments=actor.environments or None,
            part=WHOLE if actor.environments else part,
        )
        if actor.environments:
            visible = [row for row in rows if all(map(actor.may_enter, row.refers_to))]
            rows, total = part.cut(visible), len(visible)
        return await self._views.listed(transaction, rows, actor=actor), total

    async def get(
        self, transaction: Transaction, request_id: str, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Return a request with its diff; raises NotFound and Forbidden."""
        row = await self._find(transaction, request_id, actor)
        return await self._views.detailed(transaction, row, actor=actor)

    async def comment(
        self, transaction: Transaction, request_id: str, comment: str, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Comment on a request, which may be closed."""
        row, _ = await self.locked(transaction, request_id, actor)
        self._grants.require(actor, self._kinds[row.kind].write, row.workspace_id)
        self._journal.record(transaction, row, COMMENT, actor, comment)
        return await self._answer(transaction, row, actor)

    async def approve(
        self, transaction: Transaction, request_id: str, comment: str, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Approve a request as it is; repeating it has no effect. Raises Forbidden for its author
        and for callers who aren't people, Outdated and NotOpen."""
        row, environment = await self.locked(transaction, request_id, actor)
        require_open(row)
        self._rights.require_vote(row, environment, actor, "approve")
        if outdated := await self._views.outdated(transaction, row):
            raise Outdated(outdated)
        assert actor.user_id is not None, "only people vote"
        if all(row.user_id != actor.user_id for row in await self.approvals(transaction, row)):
            approval = ChangeRequestApprovalRow(
                request_id=row.id,
                user_id=actor.user_id,
                username=actor.name,
                created_at=self._clock.now(),
            )
            repository.add(transaction.session, approval)
            self._journal.record(transaction, row, "approve", actor, comment)
        return await self._answer(transaction, row, actor)

    async def reject(
        self, transaction: Transaction, request_id: str, comment: str, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Close a request without applying it; raises what `approve` raises."""
        row, environment = await self.locked(transaction, request_id, actor)
        require_open(row)
        self._rights.require_vote(row, environment, actor, "reject")
        await self.close(transaction, row, REJECTED, actor)
        self._journal.record(transaction, row, "reject", actor, comment)
        return await self._answer(transaction, row, actor)

    async def withdraw(
        self, transaction: Transaction, request_id: str, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Withdraw a request, as its author or an admin."""
        row, _ = await self.locked(transaction, request_id, actor)
        require_open(row)
        self._rights.require_author(row, actor, "withdraw")
        await self.close(transaction, row, WITHDRAWN, actor)
        self._journal.record(transaction, row, "withdraw", actor)
        return await self._answer(transaction, row, actor)

    async def refresh(
        self, transaction: Transaction, request_id: str, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Propose the same change again, based on what is served now; its approvals become void.
        Raises Forbidden for callers other than the author, and the errors of the change itself."""
        row, _ = await self.locked(transaction, request_id, actor)
        require_open(row)
        self._rights.require_author(row, actor, "refresh")
        await self._proposals.rebase(transaction, row, actor)
        await repository.drop_approvals(transaction.session, row.id)
        self._journal.record(transaction, row, "refresh", actor)
        return await self._answer(transaction, row, actor)

    async def locked(
        self, transaction: Transaction, request_id: str, actor: Actor
    ) -> tuple[ChangeRequestRow, EnvironmentRow | None]:
        """Return a request, locked until the commit, and its environment, None if that was removed;
        raises NotFound and Forbidden."""
        workspace_id = (await self._find(transaction, request_id, actor)).workspace_id
        # In the same order as a deletion of the workspace.
        await self._workspaces.lock_row(transaction, workspace_id)
        row = await self._find(transaction, request_id, actor, lock=True)
        try:
            environment = await self._environments.require(
                transaction, row.workspace_id, row.env, actor=actor
            )
        except NotFound:
            environment = None
        return row, environment

    async def approvals(
        self, transaction: Transaction, row: ChangeRequestRow
    ) -> list[ChangeRequestApprovalRow]:
        """Return who has approved a request, oldest first."""
        return (await repository.approvals(transaction.session, [row.id])).get(row.id, [])

    async def close(
        self, transaction: Transaction, row: ChangeRequestRow, state: str, actor: Actor
    ) -> None:
        """Set the final state of an open request."""
        if row.apply_at is not None:
            await self._timers.cancel(transaction, TIMER, row.id)
        row.state, row.apply_at = state, None
        row.closed_by, row.closed_at = actor.name, self._clock.now()

    async def _answer(
        self, transaction: Transaction, row: ChangeRequestRow, actor: Actor
    ) -> ChangeRequestDetail:
        await transaction.session.flush()
        return await self._views.detailed(transaction, row, actor=actor)

    async def _find(
        self, transaction: Transaction, request_id: str, actor: Actor, *, lock: bool = False
    ) -> ChangeRequestRow:
        row = await repository.get(transaction.session, request_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(
                f"change request {request_id!r} not found; GET /api/change-requests lists them"
            )
        for env in (row.env, *row.refers_to):
            require_environment(actor, env)
        kind = self._kinds[row.kind]
        self._grants.require(actor, kind.read, row.workspace_id)
        return row
