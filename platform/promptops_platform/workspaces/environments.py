"""The environments of a workspace: ordered, and some of them protected."""

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.access.permissions import Permission
from promptops_platform.db.tables import EnvironmentRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.workspaces import repository

FIRST_ENVIRONMENTS = ("dev", "test", "prod")


class EnvironmentService:
    """Knows the environments; one that a prompt names first is appended."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def seed(self, transaction: Transaction, workspace_id: str) -> None:
        """Give a new workspace its first environments."""
        for position, name in enumerate(FIRST_ENVIRONMENTS):
            transaction.session.add(
                EnvironmentRow(
                    workspace_id=workspace_id, name=name, position=position, protected=False
                )
            )

    async def every(
        self, transaction: Transaction, workspace_id: str, *, actor: Actor
    ) -> list[EnvironmentRow]:
        """The environments in their order; to a limited API key only its own."""
        rows = await repository.environments(transaction.session, workspace_id)
        return [row for row in rows if actor.may_enter(row.name)]

    async def enter(
        self,
        transaction: Transaction,
        workspace_id: str,
        env: str,
        *,
        actor: Actor,
        serving: bool,
    ) -> None:
        """Make sure that the environment exists, until the commit, and that the caller may change
        prompts in it.

        Raises Forbidden for an API key of other environments and, where the change alters what
        a protected environment serves (`serving`), for callers who aren't admins; NotFound where
        the workspace is gone meanwhile.
        """
        require_environment(actor, env)
        row = await repository.environment(transaction.session, workspace_id, env)
        if row is None:
            await self._append(transaction, workspace_id, env)
        elif serving and row.protected:
            self._grants.require(actor, Permission.PROMPTS_PROTECTED, workspace_id)

    async def _append(self, transaction: Transaction, workspace_id: str, env: str) -> None:
        if not await repository.hold(transaction.session, workspace_id):
            raise NotFound(f"workspace {workspace_id!r} not found; it was deleted meanwhile")
        await repository.append_environment(transaction.session, workspace_id, env)
