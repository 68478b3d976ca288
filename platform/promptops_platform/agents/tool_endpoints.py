"""Routes of an agent's tools."""

from fastapi import APIRouter, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.agents.tool_trial import ToolTrial, ToolTrials, TryTool
from promptops_platform.errors import TooManyRequests
from promptops_platform.field_types import ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import services_of

router = APIRouter(prefix="/api/agents", tags=["agents"])


@router.post("/{agent_id}/tools/try", responses=may_answer(TooManyRequests))
async def try_tool(
    agent_id: ResourceId,
    body: TryTool,
    request: Request,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Data[ToolTrial]:
    """Call a tool once, as a run of the agent would, without saving it. A failed call is a 200 too,
    with `ok` false."""
    trials = services_of(request).get(ToolTrials)
    return Data(data=await trials.try_tool(agent_id, body, actor=actor))
