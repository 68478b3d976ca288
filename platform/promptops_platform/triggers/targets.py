"""What a trigger runs or delivers to: checked when it is saved."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.agents.service import AgentService
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.targets.run_targets import TargetKind
from promptops_platform.triggers.templates import check_variables, with_expressions
from promptops_platform.workflows.planning import WorkflowInputs, WorkflowPlanner
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workflows.tables import WorkflowRow
from promptops_providers.transport.address_policy import AddressPolicy, ForbiddenAddress


class TriggerTargets:
    """Webhooks go where HTTP tools may."""

    def __init__(
        self,
        *,
        workflows: WorkflowService,
        planner: WorkflowPlanner,
        agents: AgentService,
        addresses: AddressPolicy,
    ) -> None:
        self._planner = planner
        self._services = {"workflow": workflows, "agent": agents}
        self._addresses = addresses

    async def check(
        self,
        transaction: Transaction,
        workspace_id: str,
        action: Mapping[str, Any],
        *,
        actor: Actor,
    ) -> None:
        """Raises BadRequest for an unknown definition, a template that can't be read, variables
        that its input schema refuses and an address that is not allowed, Forbidden for a
        definition that the caller may not run."""
        if "url" in action:
            try:
                self._addresses.check_url(action["url"])
            except ForbiddenAddress as error:
                raise BadRequest(f"deliver.url: {error}") from error
            return
        check_variables(action["variables"])
        noun, key = definition_of(action)
        service: Any = self._services[noun]
        draft = await service.find_to_run(transaction, workspace_id, key, actor=actor)
        if draft is None:
            raise BadRequest(
                f"run.{noun}: there is no {noun} {key!r} in this workspace; GET /api/{noun}s lists "
                "them"
            )
        if noun == "workflow":
            await self._check_inputs(transaction, draft, action, actor)

    async def _check_inputs(
        self, transaction: Transaction, draft: WorkflowRow, action: Mapping[str, Any], actor: Actor
    ) -> None:
        variables = dict(action["variables"])
        inputs = WorkflowInputs(variables, version=action.get("version"), env=action.get("env"))
        # What is to be published or served later is checked when the trigger fires.
        with suppress(NotFound):
            await self._planner.check_variables(
                transaction, draft, inputs, with_expressions(variables), actor=actor
            )


def definition_of(action: Mapping[str, Any]) -> tuple[TargetKind, str]:
    """Noun and key of what an action runs."""
    noun: TargetKind = "workflow" if action.get("workflow") else "agent"
    return noun, str(action[noun])
