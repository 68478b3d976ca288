"""Proposes changes that need approvals: tries a change out, and stores it as a request."""

from collections.abc import Mapping

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import require_environment
from promptops_platform.change_requests import repository
from promptops_platform.change_requests.journal import RequestJournal
from promptops_platform.change_requests.schemas import ChangeRequestDetail
from promptops_platform.change_requests.served import GuardedKind, Place, Served
from promptops_platform.change_requests.tables import OPEN, ChangeRequestRow
from promptops_platform.change_requests.views import RequestViews, order_of, place_of
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.definitions.approvals import ServedChange, ServedOrder
from promptops_platform.definitions.gate import GatePass, ServedGate
from promptops_platform.ids import new_id
from promptops_platform.workspaces.service import WorkspaceService


class Proposals:
    """Creates requests from changes that the gate has refused."""

    def __init__(
        self,
        *,
        database: Database,
        kinds: Mapping[str, GuardedKind],
        gate: ServedGate,
        workspaces: WorkspaceService,
        views: RequestViews,
        journal: RequestJournal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._gate = gate
        self._workspaces = workspaces
        self._views = views
        self._journal = journal
        self._clock = clock

    async def propose(
        self, change: ServedChange, order: ServedOrder, *, actor: Actor
    ) -> ChangeRequestDetail:
        """Create a request for a refused change, or return the caller's open request for the same
        change; raises the errors of the change itself."""
        place = Place(change.workspace_id, change.env, change.key)
        async with self._database.write() as transaction:
            await self._workspaces.lock_row(transaction, place.workspace_id)
            order = await self._kinds[change.kind].pin(transaction, place, order, actor)
            order, before, after = await self._try_change(
                transaction, change.kind, place, order, actor
            )
            for env in self._refers_to(change.kind, before, after):
                require_environment(actor, env)
            row = await self._open_request(transaction, order, before, actor)
            if row is None:
                row = self._new(change.kind, place, order, before, after, actor)
                repository.add(transaction.session, row)
                await transaction.session.flush()
                self._journal.record(transaction, row, "propose", actor)
                await transaction.session.flush()
            return await self._views.detailed(transaction, row, actor=actor)

    async def rebase(self, transaction: Transaction, row: ChangeRequestRow, actor: Actor) -> None:
        """Base a locked request on what is served now; raises the errors of the change itself."""
        place = place_of(row)
        order, before, after = await self._try_change(
            transaction, row.kind, place, order_of(row), actor
        )
        row.arguments = dict(order.arguments)
        row.base, row.before, row.after = before.base(), before.shown(), after.shown()
        row.before_version, row.after_version = before.version, after.version
        row.refers_to = self._refers_to(row.kind, before, after)

    async def try_out(self, transaction: Transaction, row: ChangeRequestRow, actor: Actor) -> None:
        """Try a request out without keeping any effect; raises the errors of the change itself."""
        await self._try_change(transaction, row.kind, place_of(row), order_of(row), actor)

    async def _try_change(
        self, transaction: Transaction, kind: str, place: Place, order: ServedOrder, actor: Actor
    ) -> tuple[ServedOrder, Served, Served]:
        """Return the complete order, and what is served without and with it: the change is made and
        rolled back."""
        changes = self._kinds[kind]
        before = await changes.served(transaction, place, order, lock=True)
        # Its notes, audit entries and changes of the feed are discarded with it.
        trial = Transaction(transaction.session)
        self._gate.open(trial, GatePass(approvals=None, trial=True))
        async with transaction.session.begin_nested() as savepoint:
            await changes.carry_out(trial, order, actor)
            await transaction.session.flush()
            after = await changes.served(trial, place, order)
            await savepoint.rollback()
        return changes.complete(order, after), before, after

    async def _open_request(
        self, transaction: Transaction, order: ServedOrder, before: Served, actor: Actor
    ) -> ChangeRequestRow | None:
        """Return the open request of a caller who sends the same change again."""
        rows = await repository.open_of(transaction.session, order.resource_id, actor.caller_id)
        for row in rows:
            if order_of(row) == order and row.base == before.base():
                return await repository.get(transaction.session, row.id)
        return None

    def _refers_to(self, kind: str, before: Served, after: Served) -> list[str]:
        return sorted(self._kinds[kind].environments(before, after))

    def _new(
        self,
        kind: str,
        place: Place,
        order: ServedOrder,
        before: Served,
        after: Served,
        actor: Actor,
    ) -> ChangeRequestRow:
        now = self._clock.now()
        return ChangeRequestRow(
            id=new_id(),
            workspace_id=place.workspace_id,
            kind=kind,
            resource_id=order.resource_id,
            key=place.key,
            env=place.env,
            action=order.action,
            arguments=dict(order.arguments),
            base=before.base(),
            before_version=before.version,
            after_version=after.version,
            before=before.shown(),
            after=after.shown(),
            refers_to=self._refers_to(kind, before, after),
            author=actor.name,
            author_id=actor.caller_id,
            state=OPEN,
            apply_at=None,
            bypassed=False,
            closed_by=None,
            closed_at=None,
            created_at=now,
            updated_at=now,
        )
