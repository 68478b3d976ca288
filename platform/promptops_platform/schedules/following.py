"""Updates deployments of schedules after changes of definitions and workspaces."""

from collections.abc import Sequence

from promptops_flows.protocol.deployment_messages import Owner
from promptops_platform.access.actor import Actor
from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.definitions.uses import DefinitionUser
from promptops_platform.deployments.service import Deployments
from promptops_platform.schedules import repository
from promptops_platform.schedules.tables import KIND, ScheduleRow

DEFINITIONS = {
    ChangeType.WORKFLOW_SAVED: "workflow",
    ChangeType.WORKFLOW_DELETED: "workflow",
    ChangeType.AGENT_SAVED: "agent",
    ChangeType.AGENT_DELETED: "agent",
}
DELETED = (ChangeType.WORKFLOW_DELETED, ChangeType.AGENT_DELETED)


class ScheduleFollower:
    """A consumer of the feed: updates the deployments that a change affects."""

    def __init__(self, database: Database, deployments: Deployments) -> None:
        self._database = database
        self._deployments = deployments

    async def load(self) -> None:
        """Does nothing: all deployments are compared when the engine is reached."""

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        """Handle definitions that were deleted or restored, renamed workspaces, and schedules that
        were deleted with their workspace."""
        definitions: dict[tuple[str, str, str], bool] = {}
        workspaces: set[str] = set()
        owners: list[Owner] = []
        for numbered in changes:
            change = numbered.change
            kind = DEFINITIONS.get(ChangeType(change.type)) if change.type in _TYPES else None
            if kind is not None and change.workspace_id is not None:
                place = change.workspace_id, kind, change.key
                definitions[place] = change.type in DELETED
            elif change.type == ChangeType.WORKSPACE_SAVED:
                workspaces.add(change.resource_id)
            elif change.type == ChangeType.SCHEDULE_CHANGED:
                owners.append(Owner(KIND, change.resource_id))
        if definitions or workspaces or owners:
            await self._follow(definitions, workspaces, owners)

    async def _follow(
        self,
        definitions: dict[tuple[str, str, str], bool],
        workspaces: set[str],
        owners: list[Owner],
    ) -> None:
        async with self._database.read() as transaction:
            rows = await repository.of_targets(transaction.session, definitions)
            refs = [row.id for row in rows] + [owner.ref for owner in owners]
            pushed = await self._deployments.urls(transaction, KIND, refs)
            existing = await repository.ids(transaction.session, [owner.ref for owner in owners])
            moved = await repository.of_workspaces(transaction.session, workspaces)
        changed = [row.id for row in rows if definitions[_place(row)] == (row.id in pushed)]
        deleted = [
            owner.ref for owner in owners if owner.ref in pushed and owner.ref not in existing
        ]
        self._deployments.push(*(Owner(KIND, ref) for ref in [*changed, *deleted, *moved]))


class ScheduleUses:
    """Schedules as users of agents and workflows."""

    async def users_of(
        self, transaction: Transaction, workspace_id: str, kind: str, key: str, *, actor: Actor
    ) -> list[DefinitionUser]:
        """Return the schedules that run the definition."""
        rows = await repository.of_targets(transaction.session, [(workspace_id, kind, key)])
        return [
            DefinitionUser(
                KIND,
                row.id,
                row.key,
                [row.env or f"version {row.version}"],
                row.env is None or actor.may_enter(row.env),
            )
            for row in rows
        ]


class ScheduleContents:
    """Schedules as contents of a workspace."""

    noun = KIND
    removal: str | None = "DELETE /api/schedules/:id"

    def __init__(self, changes: ChangeLog) -> None:
        self._changes = changes

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """Return how many schedules the workspace has."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all schedules of a workspace, and add each to the change feed."""
        deleted = await repository.clear(transaction.session, workspace_id)
        for schedule_id, key in deleted:
            change = Change(ChangeType.SCHEDULE_CHANGED, schedule_id, workspace_id, key)
            self._changes.record(transaction, change)
        return len(deleted)


_TYPES = frozenset(DEFINITIONS)


def _place(row: ScheduleRow) -> tuple[str, str, str]:
    return row.workspace_id, row.target_kind, row.target_key
