"""Compiles a plan to a Prefect flow with the steps as tasks."""

from __future__ import annotations

from promptops_flows.engine.agent_flow import AgentRun
from promptops_flows.engine.compiled_run import CompiledRun
from promptops_flows.engine.run_control import RunControl
from promptops_flows.engine.runs import Emit
from promptops_flows.engine.workflow_flow import WorkflowRun
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.steps.plans import AgentPlan
from promptops_flows.steps.services import StepServices


def compile_run(
    request: RunRequest, emit: Emit, services: StepServices, control: RunControl
) -> CompiledRun:
    """Return the run of the request's plan."""
    if isinstance(request.plan, AgentPlan):
        return AgentRun(request, request.plan, emit, services, control)

    def compile_inner(inner: RunRequest, emit: Emit) -> CompiledRun:
        return compile_run(inner, emit, services, control.for_inner())

    return WorkflowRun(request, request.plan, emit, services, control, compile_inner)
