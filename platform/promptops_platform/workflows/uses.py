"""Workflows as users of agents and of other workflows."""

from collections.abc import Mapping, Sequence
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.states import served_contents
from promptops_platform.definitions.uses import DefinitionUser
from promptops_platform.workflows import repository
from promptops_platform.workflows.step_targets import may_use, targets

DRAFT = "draft"


class WorkflowSteps:
    """Finds the workflows whose steps run a definition, in their draft or in a served version."""

    async def users_of(
        self, transaction: Transaction, workspace_id: str, kind: str, key: str, *, actor: Actor
    ) -> list[DefinitionUser]:
        """Return the users; a workflow is not a user of itself."""
        rows = await repository.with_step_type(transaction.session, workspace_id, kind)
        places: dict[str, list[str]] = {}
        hidden: set[str] = set()
        for row in rows:
            if _runs(row.steps, kind, key):
                places[row.id] = [DRAFT]
                hidden |= set() if may_use(actor, row.steps) else {row.id}
        for served in await served_contents(transaction, workspace_id, f'"{kind}"'):
            if _runs(served.content.get("steps", []), kind, key):
                places.setdefault(served.resource_id, []).append(served.env)
                is_visible = may_use(actor, served.content.get("steps"))
                hidden |= set() if is_visible else {served.resource_id}
        keys = await repository.keys(transaction.session, workspace_id, sorted(places))
        return [
            DefinitionUser(
                "workflow", workflow_id, name, places[workflow_id], workflow_id not in hidden
            )
            for workflow_id, name in keys
            if (kind, key) != ("workflow", name)
        ]


def _runs(steps: Sequence[Mapping[str, Any]], kind: str, key: str) -> bool:
    return any((target.get("type"), target.get("key")) == (kind, key) for target in targets(steps))
