"""A definition becomes a Prefect flow, whose tasks are the steps."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State

from promptops_flows.agents import read_agent
from promptops_flows.definitions import ModelStep, Step, WorkflowDefinition, parse_steps
from promptops_flows.engine.agent_flow import AgentRun
from promptops_flows.engine.compiled_run import CompiledRun, StepFailedError, step_context
from promptops_flows.engine.runs import Emit
from promptops_flows.engine.step_run import StepPlan
from promptops_flows.http_tools import ToolClient
from promptops_flows.steps import StepOutput, run_step
from promptops_flows.wire import RunFinished, RunRequest
from promptops_providers.gateway import ModelGateway


def compile_run(
    request: RunRequest, emit: Emit, gateway: ModelGateway, tools: ToolClient
) -> CompiledRun:
    """Raises `DefinitionError` for a definition that can't run."""
    if request.agent is not None:
        return AgentRun(request, read_agent(request.agent), emit, gateway, tools)
    connections = [each.provider for each in request.connections]
    return WorkflowRun(request, parse_steps(request.steps, connections), gateway, emit)


class WorkflowRun(CompiledRun):
    """A workflow: each step's output is the next one's input."""

    def __init__(
        self,
        request: RunRequest,
        definition: WorkflowDefinition,
        gateway: ModelGateway,
        emit: Emit,
    ) -> None:
        super().__init__(request, emit)
        self._context = step_context(request, gateway)
        self._definition = definition

    async def run_steps(self) -> RunFinished:
        text = ""
        after: list[State[Any]] = []
        for index, step in enumerate(self._definition.steps, 1):
            run, state = await self.step(self._plan(index, step, text), after)
            if run.output is None:
                raise StepFailedError(*run.failure)
            text, after = run.output.text, [state]
        return RunFinished("ok", output=text)

    async def _work(self, step: Step, incoming: str) -> StepOutput:
        output = await run_step(step, incoming, self._context)
        # Without a key that the provider has repeated: callers may use it, and not read it.
        return self.without_secrets(output) if isinstance(step, ModelStep) else output

    def _plan(self, index: int, step: Step, incoming: str) -> StepPlan:
        asked = (step.provider, step.model or None) if isinstance(step, ModelStep) else (None, None)
        return StepPlan(
            index,
            step.name,
            step.type,
            lambda: self._work(step, incoming),
            provider=asked[0],
            model=asked[1],
            input=incoming,
        )
