"""Which environments a workspace has, in which order, and which of them are protected."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.db.tables import EnvironmentRow, WorkspaceRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.workspaces import repository
from promptops_platform.workspaces.environments import MOST_ENVIRONMENTS, EnvironmentService
from promptops_platform.workspaces.holdings import EnvironmentUse
from promptops_platform.workspaces.service import WorkspaceService


class WantedEnvironment(NamedTuple):
    """Without `protected` it stays as it is; a new one isn't."""

    name: str
    protected: bool | None


class EnvironmentList:
    """Reads and replaces the list. No replica keeps it in memory, so the feed isn't told."""

    def __init__(
        self,
        *,
        workspaces: WorkspaceService,
        environments: EnvironmentService,
        use: EnvironmentUse,
        audit: AuditTrail,
    ) -> None:
        self._workspaces = workspaces
        self._environments = environments
        self._use = use
        self._audit = audit

    async def every(
        self, transaction: Transaction, workspace: str, *, actor: Actor
    ) -> list[EnvironmentRow]:
        """The environments of the workspace with this id or slug in their order; raises
        NotFound."""
        row = await self._workspaces.find(transaction, workspace, actor=actor)
        return await self._environments.every(transaction, row.id, actor=actor)

    async def replace(
        self,
        transaction: Transaction,
        workspace: str,
        wanted: Sequence[WantedEnvironment],
        *,
        actor: Actor,
    ) -> list[EnvironmentRow]:
        """Give the workspace these environments in this order.

        Raises BadRequest for an empty list, a name that comes twice and a new one in a list that
        is too long, Conflict where one that is left out still holds prompts, NotFound and
        Forbidden.
        """
        place = await self._workspaces.locked(
            transaction, workspace, Permission.WORKSPACES_MANAGE, actor=actor
        )
        _check(wanted)
        rows = await repository.environments(transaction.session, place.id)
        before = _shown(rows)
        kept = {row.name: row for row in rows}
        _refuse_more(wanted, kept.keys())
        await self._leave_out(transaction, place, kept.keys() - {each.name for each in wanted})
        rows = []
        for position, each in enumerate(wanted):
            row = kept.get(each.name)
            if row is None:
                await repository.append_environment(transaction.session, place.id, each.name)
                row = await repository.environment(transaction.session, place.id, each.name)
                assert row is not None, "it was appended, and the workspace is locked"
            row.position = position
            row.protected = row.protected if each.protected is None else each.protected
            rows.append(row)
        self._recorded(transaction, actor, place, before, _shown(rows))
        return rows

    async def _leave_out(
        self, transaction: Transaction, place: WorkspaceRow, names: set[str]
    ) -> None:
        for name in sorted(names):
            await repository.remove_environment(transaction.session, place.id, name)
        # Looked up afterwards: from now on nobody can add to them unseen.
        used = names & set(await self._use.environments(transaction, place.id)) if names else set()
        if used:
            raise Conflict(
                f"environments: {', '.join(sorted(used))} can't be left out, prompts are in it; "
                "move or delete these first"
            )

    def _recorded(
        self,
        transaction: Transaction,
        actor: Actor,
        place: WorkspaceRow,
        before: dict[str, Any],
        after: dict[str, Any],
    ) -> None:
        if before == after:
            return
        names = ", ".join(each["name"] for each in after["environments"])
        self._audit.record(
            transaction,
            actor=actor,
            action="update",
            resource="workspace",
            resource_id=place.id,
            key=place.slug,
            summary=f"environments are now {names}",
            workspace_id=place.id,
            before=before,
            after=after,
        )


def _check(wanted: Sequence[WantedEnvironment]) -> None:
    names = [each.name for each in wanted]
    if not names:
        raise BadRequest("environments: is empty; name one at least")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise BadRequest(f"environments: {name!r} comes twice; name each once")


def _refuse_more(wanted: Sequence[WantedEnvironment], existing: Collection[str]) -> None:
    new = next((each.name for each in wanted if each.name not in existing), None)
    if new is not None and len(wanted) > MOST_ENVIRONMENTS:
        raise BadRequest(
            f"environments: a list of {len(wanted)} adds {new!r}, and a workspace may have "
            f"{MOST_ENVIRONMENTS}; leave it out"
        )


def _shown(rows: Sequence[EnvironmentRow]) -> dict[str, Any]:
    return {"environments": [{"name": row.name, "protected": row.protected} for row in rows]}
