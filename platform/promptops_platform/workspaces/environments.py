"""The environments of a workspace: ordered, and some of them protected."""

from collections.abc import Collection

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import require_environment
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.workspaces import repository
from promptops_platform.workspaces.tables import EnvironmentRow

FIRST_ENVIRONMENTS = ("dev", "test", "prod")
# A workspace of an older release may have more: they stay, but none can be added.
MOST_ENVIRONMENTS = 50


class EnvironmentService:
    """Manages environments; a prompt's new environment is appended to the list."""

    def __init__(self, changes: ChangeLog) -> None:
        self._changes = changes

    def seed(self, transaction: Transaction, workspace_id: str) -> None:
        """Create the first environments of a new workspace."""
        for position, name in enumerate(FIRST_ENVIRONMENTS):
            transaction.session.add(
                EnvironmentRow(
                    workspace_id=workspace_id,
                    name=name,
                    position=position,
                    protected=False,
                    approvals=0,
                    allow_bypass=False,
                )
            )

    async def every(
        self, transaction: Transaction, workspace_id: str, *, actor: Actor
    ) -> list[EnvironmentRow]:
        """Return the environments in their order; for a limited API key only its own."""
        rows = await repository.environments(transaction.session, workspace_id)
        return [row for row in rows if actor.may_enter(row.name)]

    async def of_workspaces(
        self, transaction: Transaction, workspace_ids: Collection[str]
    ) -> dict[str, list[EnvironmentRow]]:
        """Return all environments of these workspaces in their order."""
        return await repository.environments_of(transaction.session, workspace_ids)

    async def enter(
        self, transaction: Transaction, workspace_id: str, env: str, *, actor: Actor
    ) -> EnvironmentRow | None:
        """Ensure that the environment exists until the commit, and that the caller may change
        prompts in it; returns it, None for a new one.

        Raises Forbidden for an API key of other environments, BadRequest for a new environment if
        the workspace has the maximum number, and NotFound if the workspace was deleted meanwhile.
        Enter a new environment before an existing one, because this locks the workspace.
        """
        require_environment(actor, env)
        row = await repository.environment(transaction.session, workspace_id, env)
        if row is None:
            await self._append(transaction, workspace_id, env)
        return row

    async def require(
        self, transaction: Transaction, workspace_id: str, env: str, *, actor: Actor
    ) -> EnvironmentRow:
        """Return an environment, which exists until the commit; raises Forbidden for an API key of
        other environments, and NotFound if the workspace has none of this name."""
        require_environment(actor, env)
        row = await repository.environment(transaction.session, workspace_id, env)
        if row is None:
            rows = await repository.environments(transaction.session, workspace_id)
            names = ", ".join(row.name for row in rows if actor.may_enter(row.name))
            raise NotFound(f"env: the workspace has no environment {env!r}; use one of {names}")
        return row

    def changed(self, transaction: Transaction, workspace_id: str) -> None:
        """Notify consoles that the environments or their order have changed."""
        change = Change(ChangeType.ENVIRONMENT_CHANGED, workspace_id, workspace_id)
        self._changes.record(transaction, change)

    async def _append(self, transaction: Transaction, workspace_id: str, env: str) -> None:
        session = transaction.session
        # Locked, so that concurrent additions are counted one after the other.
        if await repository.lock(session, workspace_id) is None:
            raise NotFound(f"workspace {workspace_id!r} not found; it was deleted meanwhile")
        names = [row.name for row in await repository.environments(session, workspace_id)]
        if env not in names and len(names) >= MOST_ENVIRONMENTS:
            raise BadRequest(
                f"env: {env!r} would be environment {len(names) + 1} of the workspace, which may "
                f"have {MOST_ENVIRONMENTS}; use one of them, or have an admin remove one"
            )
        await repository.append_environment(session, workspace_id, env)
        if env not in names:
            self.changed(transaction, workspace_id)
