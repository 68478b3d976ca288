"""The list of a workspace's environments: their order and their settings."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.workspaces import repository
from promptops_platform.workspaces.contents import EnvironmentUse
from promptops_platform.workspaces.environments import MOST_ENVIRONMENTS, EnvironmentService
from promptops_platform.workspaces.service import WorkspaceService
from promptops_platform.workspaces.tables import EnvironmentRow, WorkspaceRow

SETTINGS = ("protected", "approvals", "allow_bypass")


class EnvironmentSettings(NamedTuple):
    """A setting that is None keeps its value; a new environment has none of them."""

    name: str
    protected: bool | None = None
    approvals: int | None = None
    allow_bypass: bool | None = None


class EnvironmentList:
    """Reads and replaces the list."""

    def __init__(
        self,
        *,
        workspaces: WorkspaceService,
        environments: EnvironmentService,
        uses: Sequence[EnvironmentUse],
        audit: AuditTrail,
    ) -> None:
        self._workspaces = workspaces
        self._environments = environments
        self._uses = uses
        self._audit = audit

    async def every(
        self, transaction: Transaction, workspace: str, *, actor: Actor
    ) -> list[EnvironmentRow]:
        """Return the environments of the workspace with this id or slug in their order; raises
        NotFound."""
        row = await self._workspaces.find(transaction, workspace, actor=actor)
        return await self._environments.every(transaction, row.id, actor=actor)

    async def replace(
        self,
        transaction: Transaction,
        workspace: str,
        environments: Sequence[EnvironmentSettings],
        *,
        actor: Actor,
    ) -> list[EnvironmentRow]:
        """Replace the environments of the workspace, in this order.

        Raises BadRequest for an empty list, a repeated name or a new environment in a list that is
        too long, Conflict if a removed environment is in use, NotFound and Forbidden.
        """
        workspace_row = await self._workspaces.locked(
            transaction, workspace, Permission.WORKSPACES_MANAGE, actor=actor
        )
        _check(environments)
        rows = await repository.environments(transaction.session, workspace_row.id)
        before = _shown(rows)
        kept = {row.name: row for row in rows}
        _refuse_more(environments, kept.keys())
        await self._leave_out(
            transaction,
            workspace_row,
            kept.keys() - {environment.name for environment in environments},
        )
        rows = []
        for position, environment in enumerate(environments):
            row = kept.get(environment.name)
            if row is None:
                await repository.append_environment(
                    transaction.session, workspace_row.id, environment.name
                )
                row = await repository.environment(
                    transaction.session, workspace_row.id, environment.name
                )
                assert row is not None, "it was appended, and the workspace is locked"
            row.position = position
            for setting in SETTINGS:
                value = getattr(environment, setting)
                if value is not None:
                    setattr(row, setting, value)
            rows.append(row)
        self._recorded(transaction, actor, workspace_row, before, _shown(rows))
        return rows

    async def _leave_out(
        self, transaction: Transaction, workspace_row: WorkspaceRow, names: set[str]
    ) -> None:
        for name in sorted(names):
            await repository.remove_environment(transaction.session, workspace_row.id, name)
        # Looked up after the removal: from now on nobody can use them unnoticed.
        for use in self._uses if names else ():
            used = names & set(await use.environments(transaction, workspace_row.id))
            if used:
                raise Conflict(
                    f"environments: {', '.join(sorted(used))} can't be removed while {use.nouns} "
                    "use them; move or delete these first"
                )

    def _recorded(
        self,
        transaction: Transaction,
        actor: Actor,
        workspace_row: WorkspaceRow,
        before: dict[str, Any],
        after: dict[str, Any],
    ) -> None:
        if before == after:
            return
        self._environments.changed(transaction, workspace_row.id)
        names = ", ".join(environment["name"] for environment in after["environments"])
        self._audit.record(
            transaction,
            actor=actor,
            action="update",
            resource="workspace",
            resource_id=workspace_row.id,
            key=workspace_row.slug,
            summary=f"environments are now {names}",
            workspace_id=workspace_row.id,
            before=before,
            after=after,
        )


def _check(environments: Sequence[EnvironmentSettings]) -> None:
    names = [environment.name for environment in environments]
    if not names:
        raise BadRequest("environments: is empty; send at least one")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise BadRequest(f"environments: {name!r} is repeated; send each name once")


def _refuse_more(environments: Sequence[EnvironmentSettings], existing: Collection[str]) -> None:
    new = next(
        (environment.name for environment in environments if environment.name not in existing), None
    )
    if new is not None and len(environments) > MOST_ENVIRONMENTS:
        raise BadRequest(
            f"environments: a list of {len(environments)} adds {new!r}, and a workspace may have "
            f"{MOST_ENVIRONMENTS}; leave it out"
        )


def _shown(rows: Sequence[EnvironmentRow]) -> dict[str, Any]:
    fields = ("name", *SETTINGS)
    return {"environments": [{name: getattr(row, name) for name in fields} for row in rows]}
