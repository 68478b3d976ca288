"""Checks whether a change to a prompt is allowed in its environment."""

from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ServedChange
from promptops_platform.definitions.gate import ServedGate
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.tables import EnvironmentRow


class PromptAdmission:
    """Checks whether the caller may change an environment's prompts and what they serve."""

    def __init__(self, environments: EnvironmentService, gate: ServedGate) -> None:
        self._environments = environments
        self._gate = gate

    async def enter(
        self, transaction: Transaction, row: PromptRow, actor: Actor, *, env: str | None = None
    ) -> EnvironmentRow | None:
        """Check a change that leaves what is served alone; raises what `EnvironmentService.enter`
        raises."""
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
        """Check a change to what an environment serves: `env`, by default the row's. Raises what
        `enter` and `ServedGate.admit` raise."""
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
