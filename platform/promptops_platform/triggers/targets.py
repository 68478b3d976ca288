"""Checks what a trigger runs or delivers to, when it is saved."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.agents.planning import AgentInputs, AgentPlanner
from promptops_platform.agents.service import AgentService
from promptops_platform.agents.tables import AgentRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.targets.run_targets import TargetKind
from promptops_platform.triggers.templates import check_variables, with_expressions
from promptops_platform.workflows.planning import WorkflowInputs, WorkflowPlanner
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workflows.tables import WorkflowRow
from promptops_providers.transport.address_policy import AddressPolicy, ForbiddenAddress


class TriggerTargets:
    """Webhooks may use the same hosts as HTTP tools."""

    def __init__(
        self,
        *,
        workflows: WorkflowService,
        planner: WorkflowPlanner,
        agents: AgentService,
        agent_planner: AgentPlanner,
        addresses: AddressPolicy,
    ) -> None:
        self._planner = planner
        self._agent_planner = agent_planner
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
        """Raises BadRequest for an unknown definition, an invalid template, variables that don't
        match the input schema or the prompt's placeholders, and a forbidden address; Forbidden for
        a definition that the caller may not run."""
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
        await self._check_inputs(transaction, draft, action, actor)

    async def _check_inputs(
        self,
        transaction: Transaction,
        draft: WorkflowRow | AgentRow,
        action: Mapping[str, Any],
        actor: Actor,
    ) -> None:
        variables = dict(action["variables"])
        unknown = with_expressions(variables)
        version, env = action.get("version"), action.get("env")
        # A version that will be published or served later is checked when the trigger fires.
        with suppress(NotFound):
            if isinstance(draft, WorkflowRow):
                inputs = WorkflowInputs(variables, version=version, env=env)
                await self._planner.check_variables(
                    transaction, draft, inputs, unknown, actor=actor
                )
            else:
                asked = AgentInputs(variables, version=version, env=env)
                await self._agent_planner.check_variables(
                    transaction, draft, asked, unknown, actor=actor
                )


def definition_of(action: Mapping[str, Any]) -> tuple[TargetKind, str]:
    """Return noun and key of the definition that an action runs."""
    noun: TargetKind = "workflow" if action.get("workflow") else "agent"
    return noun, str(action[noun])
