"""Routes of the uses of an agent or a workflow."""

from typing import Annotated

from fastapi import APIRouter

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.catalog.definition_usage import DefinitionUses
from promptops_platform.catalog.schemas import DefinitionUsage
from promptops_platform.field_types import ResourceId
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read

agents = APIRouter(tags=["agents"])
workflows = APIRouter(tags=["workflows"])

Uses = Annotated[DefinitionUses, provided(DefinitionUses)]


@agents.get("/api/agents/{agent_id}/usage")
async def get_agent_usage(
    agent_id: ResourceId,
    uses: Uses,
    transaction: Read,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Data[DefinitionUsage]:
    """List the workflows that run an agent, and who has started it in the last 7 days."""
    return Data(data=await uses.of_agent(transaction, agent_id, actor=actor))


@workflows.get("/api/workflows/{workflow_id}/usage")
async def get_workflow_usage(
    workflow_id: ResourceId,
    uses: Uses,
    transaction: Read,
    actor: Actor = permits(Permission.WORKFLOWS_READ),
) -> Data[DefinitionUsage]:
    """List the workflows that run a workflow, and who has started it in the last 7 days."""
    return Data(data=await uses.of_workflow(transaction, workflow_id, actor=actor))
