"""Tries a tool of an agent: one call like in a run, without a model."""

import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from promptops_flows.steps.http_tools import HttpTool as EngineTool
from promptops_flows.steps.http_tools import ToolClient, ToolError, call_tool
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.agents.schemas import EXAMPLE_TOOL
from promptops_platform.agents.service import AgentService
from promptops_platform.agents.tools import HttpTool, SentTool
from promptops_platform.db.unit_of_work import Database
from promptops_platform.execution.places import Places
from promptops_platform.field_types import JsonObject
from promptops_platform.http.examples import example
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.prompts.json_schemas import check_schemas
from promptops_providers.transport.address_policy import AddressPolicy


class TryTool(BaseModel):
    """A tool, which may be unsaved, and the arguments of a call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"tool": EXAMPLE_TOOL, "arguments": {"city": "Oslo"}}]},
    )

    tool: SentTool
    arguments: JsonObject = Field(default={}, description="As a model would choose them.")


class ToolTrial(BaseModel):
    """The result of a call. `output` is what the model would receive. If `ok` is false, there is
    no output and the model would receive `error`."""

    model_config = example(ok=True, output='{"rain": false}', duration_ms=84)

    ok: bool
    output: str | None = None
    error: str | None = None
    duration_ms: int = Field(description="From the check of the arguments to the whole answer.")


class ToolTrials:
    """Calls tools at the hosts that agents may call, within the limits of the playground."""

    def __init__(
        self, *, database: Database, agents: AgentService, policy: AddressPolicy, places: Places
    ) -> None:
        self._database = database
        self._agents = agents
        self._policy = policy
        self._places = places

    async def try_tool(self, agent_id: str, body: TryTool, *, actor: Actor) -> ToolTrial:
        """Call the tool once, like in a run of the agent, and record that in the audit trail; a
        failed call is a result, too. No transaction is open during the call.

        Raises NotFound, Forbidden, BadRequest for an invalid schema, and TooManyRequests.
        """
        await check_schemas({"tool.parameters:": body.tool.parameters})
        async with self._database.read() as transaction:
            row = await self._agents.get(
                transaction, agent_id, actor=actor, permission=Permission.AGENTS_WRITE
            )
        trial = await self._call(body.tool, body.arguments, row.workspace_id, actor)
        async with self._database.write() as transaction:
            self._agents.tried_tool(transaction, row, body.tool.name, ok=trial.ok, actor=actor)
        return trial

    async def _call(
        self, tool: HttpTool, arguments: dict[str, Any], workspace_id: str, actor: Actor
    ) -> ToolTrial:
        leave_loop_share()
        async with self._places.taken(actor.caller_id, workspace_id):
            began = time.perf_counter()
            output = error = None
            try:
                async with ToolClient(self._policy) as client:
                    output = await call_tool(client, EngineTool(**tool.model_dump()), arguments)
            except ToolError as refusal:
                error = str(refusal)
            duration_ms = round((time.perf_counter() - began) * 1000)
        return ToolTrial(ok=error is None, output=output, error=error, duration_ms=duration_ms)
