"""Inner runs: agents and workflows that a step runs as flows of their own in Prefect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from promptops_flows.definitions.variables import unfilled_variables
from promptops_flows.engine.compiled_run import CompiledRun
from promptops_flows.engine.runs import Emit
from promptops_flows.json_schemas import findings
from promptops_flows.json_schemas.turns import Turns
from promptops_flows.protocol.engine_protocol import (
    RunEvent,
    RunFinished,
    StepFinished,
    StepStarted,
)
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.steps.context import StepError, StepOutput
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.steps.spending import merged
from promptops_providers.protocol import SpentCall

Compile = Callable[[RunRequest, Emit], CompiledRun]


class Reporter:
    """Reports the steps of inner runs with their own indexes, which follow those of the outer run's
    steps, and with names that include the outer step's."""

    def __init__(self, emit: Emit, steps: int) -> None:
        self._emit = emit
        self._last = steps

    def below(self, outer: int, name: str) -> Emit:
        """The `emit` for an inner run of the step with that index and name."""
        places: dict[int, int] = {}

        def emit(event: RunEvent) -> None:
            if not isinstance(event, StepStarted | StepFinished):
                return
            if event.index not in places:
                self._last += 1
                places[event.index] = self._last
            inner = f"{name} / {event.name or event.type}"
            event = replace(event, index=places[event.index], name=inner, outer=outer)
            if isinstance(event, StepFinished) and event.public_name is not None:
                event = replace(event, public_name=f"{name} / {event.public_name}")
            self._emit(event)

        return emit


class FlowSubRuns:
    """The inner runs of one step. Without a reporter the inner steps aren't reported, and their
    costs count as the step's own."""

    def __init__(
        self,
        request: RunRequest,
        index: int,
        name: str,
        compile_run: Compile,
        reporter: Reporter | None,
    ) -> None:
        self._request = request
        self._index = index
        self._name = name
        self._compile = compile_run
        self._reporter = reporter

    def muted(self) -> FlowSubRuns:
        """The same without a reporter."""
        return FlowSubRuns(self._request, self._index, self._name, self._compile, None)

    async def run(
        self,
        plan: AgentPlan | WorkflowPlan,
        key: str,
        version: str,
        variables: Mapping[str, Any],
    ) -> StepOutput:
        """Run the plan to its end; raises `StepError`."""
        if isinstance(plan, WorkflowPlan):
            variables = await _settled(plan, key, variables)
        calls: list[SpentCall] = []
        emit = self._reporter.below(self._index, self._name) if self._reporter else _collect(calls)
        request = replace(
            self._request,
            plan=plan,
            key=key,
            name=key,
            version=version,
            variables=dict(variables),
            stream=False,
            prompt=plan.used_prompt if isinstance(plan, AgentPlan) else None,
        )
        run = self._compile(request, emit)
        control = run.control
        state = await control.inner_flows.run(
            run.flow, run.flow_run_name, request, control.cancellation
        )
        result = run.result
        if not isinstance(result, RunFinished):
            result = RunFinished("error", error=f"Prefect ended it as {state.name}")
        if result.status == "error":
            summary = None if result.summary is None else f"{key}: {result.summary}"
            raise StepError(f"{key}: {result.error}", summary, retryable=True)
        agent = result.agent or {}
        return StepOutput(
            result.output or "",
            stop_reason=agent.get("stop_reason"),
            spent=merged(calls),
            value=agent.get("structured"),
        )


async def _settled(plan: WorkflowPlan, key: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables with the workflow's defaults; raises `StepError` for invalid ones."""
    settled = {**plan.defaults, **variables}
    wrong = await Turns().compare(findings, plan.input_schema, settled) if plan.input_schema else []
    if not wrong and plan.strict:
        wrong = unfilled_variables(plan, settled.keys())
    if wrong:
        raise StepError(
            f"{key}: variables: {wrong[0]}; the workflow's input_schema and templates say what it "
            "takes",
            f"{key}: the variables do not match the input_schema",
        )
    return settled


def _collect(calls: list[SpentCall]) -> Emit:
    def emit(event: RunEvent) -> None:
        if not isinstance(event, StepFinished):
            return
        calls.extend(event.spent)
        if event.usage is not None and event.provider is not None:
            kind = event.provider_kind or event.provider
            calls.append(SpentCall(event.provider, kind, event.model or "", event.usage))

    return emit
