"""Passing the gate of what is served with a change of a prompt."""

from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ServedChange
from promptops_platform.definitions.gate import ServedGate
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.tables import EnvironmentRow


class PromptAdmission:
    """Asks whether the caller may change prompts of an environment, and what it serves."""

    def __init__(self, environments: EnvironmentService, gate: ServedGate) -> None:
        self._environments = environments
        self._gate = gate

    async def enter(
        self, transaction: Transaction, row: PromptRow, actor: Actor, *, env: str | None = None
    ) -> EnvironmentRow | None:
        """For a change that alters nothing of what is served; raises as
        `EnvironmentService.enter` does."""
        return await self._environments.enter(
            transaction, row.workspace_id, env or row.env, actor=actor
        )

    async def admit(
        self,
        transaction: Transaction,
        row: PromptRow,
        action: str,
        before: str | None,
        after: str | None,
        *,
        actor: Actor,
        env: str | None = None,
    ) -> None:
        """For a change of what an environment serves, the row's unless named; raises as
        `ServedGate.admit` does too."""
        environment = await self.enter(transaction, row, actor, env=env)
        change = ServedChange(
            kind="prompt",
            workspace_id=row.workspace_id,
            resource_id=row.id,
            key=row.key,
            env=env or row.env,
            action=action,
            before=before,
            after=after,
        )
        self._gate.admit(change, environment, transaction, actor=actor)
