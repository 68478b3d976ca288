"""Workflow definitions."""

from typing import Any

from sqlalchemy.exc import IntegrityError

from promptops_flows.definitions import DefinitionError, WorkflowDefinition, parse_steps
from promptops_flows.engine_client import Connection
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.tables import WorkflowRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.prompts.references import may_refer, require_references
from promptops_platform.providers.service import ProviderService
from promptops_platform.workflows import repository


class WorkflowService:
    """Saves and finds definitions. Each change is audited and recorded in the feed."""

    def __init__(
        self,
        *,
        grants: Grants,
        providers: ProviderService,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._providers = providers
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        workspace_id: str | None,
        text: str | None,
        *,
        actor: Actor,
    ) -> list[WorkflowRow]:
        """Workflows of the workspaces that exist for the caller, newest change first; without those
        that refer to environments that are closed to the caller."""
        readable = self._grants.readable(actor)
        rows = await repository.search(transaction.session, readable, workspace_id, text)
        return [row for row in rows if may_refer(actor, row.steps)]

    async def get(
        self,
        transaction: Transaction,
        workflow_id: str,
        *,
        actor: Actor,
        permission: Permission = Permission.WORKFLOWS_READ,
        lock: bool = False,
    ) -> WorkflowRow:
        """A workflow; raises Forbidden, also for one that refers to another environment than the
        caller's, and NotFound also where it doesn't exist for the caller."""
        row = await repository.get(transaction.session, workflow_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"workflow {workflow_id!r} not found; GET /api/workflows lists them")
        require_references(actor, row.steps)
        self._grants.require(actor, permission, row.workspace_id)
        return row

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace_id: str,
        key: str,
        fields: dict[str, Any],
    ) -> WorkflowRow:
        """Make a workflow; raises BadRequest for steps that can't run, Conflict for a taken key."""
        self._grants.require(actor, Permission.WORKFLOWS_WRITE, workspace_id)
        now = self._clock.now()
        steps = self._checked(workspace_id, fields.get("steps", []), actor)
        row = WorkflowRow(
            id=new_id(),
            workspace_id=workspace_id,
            key=key,
            name=fields.get("name", ""),
            description=fields.get("description", ""),
            steps=steps,
            version=1,
            created_at=now,
            updated_at=now,
        )
        transaction.session.add(row)
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise Conflict(
                f"key: {key!r} is taken by another workflow; choose another key, or edit that one"
            ) from error
        self._recorded(
            transaction, row, actor, "create", ChangeType.WORKFLOW_SAVED, after=_shown(row)
        )
        return row

    async def update(
        self, transaction: Transaction, workflow_id: str, *, actor: Actor, fields: dict[str, Any]
    ) -> WorkflowRow:
        """Edit a workflow; raises NotFound, or BadRequest for steps that can't run."""
        row = await self._writable(transaction, workflow_id, actor)
        before = _shown(row)
        if "steps" in fields and fields["steps"] != row.steps:
            row.steps = self._checked(row.workspace_id, fields["steps"], actor)
            row.version += 1
        row.name = fields.get("name", row.name)
        row.description = fields.get("description", row.description)
        row.updated_at = self._clock.now()
        self._recorded(
            transaction, row, actor, "update", ChangeType.WORKFLOW_SAVED, before, _shown(row)
        )
        return row

    async def delete(self, transaction: Transaction, workflow_id: str, *, actor: Actor) -> None:
        """Delete a workflow; raises NotFound."""
        row = await self._writable(transaction, workflow_id, actor)
        await repository.remove(transaction.session, row.id)
        self._recorded(
            transaction, row, actor, "delete", ChangeType.WORKFLOW_DELETED, before=_shown(row)
        )

    def connections(
        self, row: WorkflowRow, *, base_url: str | None, actor: Actor
    ) -> tuple[Connection, ...]:
        """The workspace's connections that the steps name, for a run with the caller's `base_url`.

        Raises BadRequest for a step that can't run any more and an address that is not allowed, and
        SecretUnreadable.
        """
        definition = self._parsed(row.workspace_id, row.steps)
        if base_url:
            self._providers.check_base_url(base_url, definition.providers)
        targets = self._providers.connected(row.workspace_id, definition.providers, actor=actor)
        return tuple(Connection.of(each) for each in targets)

    def _checked(self, workspace_id: str, steps: object, actor: Actor) -> list[dict[str, Any]]:
        """`steps` as they were sent, if they can run; raises BadRequest naming step and remedy, and
        Forbidden for a reference to another environment than the caller's."""
        self._parsed(workspace_id, steps)
        require_references(actor, steps)
        assert isinstance(steps, list)
        return steps

    def _parsed(self, workspace_id: str, steps: object) -> WorkflowDefinition:
        names = self._providers.names([workspace_id])
        try:
            return parse_steps(steps, names)
        except DefinitionError as error:
            raise BadRequest(str(error)) from error

    async def _writable(
        self, transaction: Transaction, workflow_id: str, actor: Actor
    ) -> WorkflowRow:
        """A workflow that the caller may change, locked until the commit."""
        return await self.get(
            transaction,
            workflow_id,
            actor=actor,
            permission=Permission.WORKFLOWS_WRITE,
            lock=True,
        )

    def _recorded(
        self,
        transaction: Transaction,
        row: WorkflowRow,
        actor: Actor,
        action: str,
        kind: ChangeType,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._changes.record(
            transaction, Change(kind, row.id, row.workspace_id, row.key, version=str(row.version))
        )
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="workflow",
            resource_id=row.id,
            key=row.key,
            summary=f"{action} of workflow {row.key}, version {row.version}",
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )


def _shown(row: WorkflowRow) -> dict[str, Any]:
    """What the audit trail keeps."""
    return {
        "name": row.name,
        "description": row.description,
        "steps": row.steps,
        "version": row.version,
    }
