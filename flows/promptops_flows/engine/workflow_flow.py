"""Compiles a workflow to a Prefect flow, whose steps start as soon as the steps that they need have
ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

from prefect.client.schemas.objects import State

from promptops_flows.definitions.graph import direct_predecessors
from promptops_flows.engine.compiled_run import (
    CompiledRun,
    RunSuspendedError,
    StepFailedError,
    model_access,
)
from promptops_flows.engine.run_control import RunControl
from promptops_flows.engine.runs import Emit
from promptops_flows.engine.step_run import StepPlan
from promptops_flows.engine.sub_runs import Compile, FlowSubRuns, Reporter
from promptops_flows.protocol.engine_protocol import RunFinished
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.protocol.suspension_messages import ApprovalAsked
from promptops_flows.steps.approval import Approval
from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.model import CallModel
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.output_cache import cache_key
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.services import StepServices
from promptops_flows.steps.step import Step, rendered
from promptops_flows.templates.language import value_text
from promptops_flows.templates.references import MissingOutputError, Scope

BETWEEN_INPUTS = "\n\n"


@dataclass(frozen=True, slots=True)
class _End:
    """How a step ended: its output, `skipped` if it did not run, and its state in Prefect."""

    output: StepOutput
    state: State[Any]
    skipped: bool = False


class WorkflowRun(CompiledRun):
    """One run of a workflow. After a failed step no other step starts; running steps continue to
    their end. If approvals are requested, all steps that don't depend on them run first."""

    def __init__(
        self,
        request: RunRequest,
        plan: WorkflowPlan,
        emit: Emit,
        services: StepServices,
        control: RunControl,
        compile_run: Compile,
    ) -> None:
        super().__init__(request, emit, control, plan.timeout_seconds)
        self._request = request
        self._access = model_access(request)
        self._services = services
        self._compile = compile_run
        self._reporter = Reporter(emit, len(plan.steps))
        self._plan = plan
        self._variables = request.variables
        self._ends: dict[int, _End] = {}

    async def run_steps(self) -> RunFinished:
        waiting = {
            place: set(direct_predecessors(step)) for place, step in enumerate(self._plan.steps)
        }
        running: dict[asyncio.Task[_End | ApprovalAsked], int] = {}
        asked: list[ApprovalAsked] = []
        failure: BaseException | None = None
        try:
            while True:
                ready = [] if failure else [at for at, needs in waiting.items() if not needs]
                for place in ready:
                    del waiting[place]
                    running[asyncio.create_task(self._run_step(place))] = place
                if not running:
                    break
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    place = running.pop(task)
                    error = task.exception()
                    failure = failure or error
                    if error is not None:
                        continue
                    end = task.result()
                    if isinstance(end, ApprovalAsked):
                        asked.append(end)
                        continue
                    self._ends[place] = end
                    for needs in waiting.values():
                        needs.discard(place)
        finally:
            await _end_all(running)
        if failure is not None:
            raise failure
        if asked:
            raise RunSuspendedError(sorted(asked, key=lambda approval: approval.index))
        return RunFinished("ok", output=await self._result())

    async def _run_step(self, place: int) -> _End | ApprovalAsked:
        """Raises `StepFailedError` if the run can't continue."""
        step = self._plan.steps[place]
        why = self._why_skipped(step)
        scope = self._scope(step)
        if why is None and (asked := await self._ask(place, step, scope)):
            return asked
        after = [self._ends[at].state for at in direct_predecessors(step)]
        step_plan = self._step_plan(place, step, scope, why)
        async with self._slot(step, why):
            run, state = await self.step(step_plan, after)
        if why is not None:
            # In a list, the step after a skipped one gets the skipped step's input.
            output = StepOutput(scope.input if self._plan.is_list else "", value=scope.value)
            return _End(output, state, skipped=True)
        if run.output is not None:
            return _End(run.output, state)
        if not step.policy.continue_on_error:
            raise StepFailedError(*run.failure)
        default = step.policy.default
        value = None if isinstance(default, str) else default
        return _End(StepOutput(value_text(default), value=value), state)

    async def _ask(self, place: int, step: Step, scope: Scope) -> ApprovalAsked | None:
        """The approval to wait for; None for a step that is executed, including an approval whose
        request fails."""
        if self.control.is_inner or not isinstance(step.action, Approval):
            return None
        index, name = place + 1, self.redact(step.name)
        if self.control.checkpoints.find(index, name, step.type) is not None:
            return None
        try:
            message = await step.action.asked(scope)
        except StepError:
            return None
        return ApprovalAsked(index, name, self.redact(message))

    def _why_skipped(self, step: Step) -> str | None:
        steps = self._plan.steps
        if step.gates and not any(self._is_open(gate.branch, gate.side) for gate in step.gates):
            names = ", ".join(steps[gate.branch].name for gate in step.gates)
            return f"not taken by {names}"
        if self._plan.is_list or not step.needs:
            return None
        if all(self._ends[at].skipped for at in step.needs):
            return f"skipped with {', '.join(steps[at].name for at in step.needs)}"
        return None

    def _is_open(self, branch: int, side: str) -> bool:
        end = self._ends[branch]
        return not end.skipped and end.output.side == side

    def _scope(self, step: Step) -> Scope:
        inputs = [self._ends[at] for at in step.needs or [gate.branch for gate in step.gates]]
        texts = [end.output.text for end in inputs if self._plan.is_list or not end.skipped]
        value = inputs[0].output.value if len(inputs) == 1 else None
        text = BETWEEN_INPUTS.join(texts)
        return Scope(self._variables, text, self._outputs(self._ends), value)

    def _outputs(self, places: Iterable[int]) -> dict[str, Any]:
        return {self._plan.steps[at].name: self._ends[at].output.readable for at in sorted(places)}

    async def _result(self) -> str:
        if self._plan.output:
            scope = Scope({}, "", self._outputs(self._ends))
            try:
                return await asyncio.to_thread(rendered, self._plan.output, scope)
            except StepError as error:
                raise StepFailedError(f"output: {error}", "output can't be rendered") from error
        taken = [end for _, end in sorted(self._ends.items()) if not end.skipped]
        return taken[-1].output.text if taken else ""

    def _slot(self, step: Step, skipped: str | None) -> AbstractAsyncContextManager[None]:
        policy = step.policy
        key = f"{self._request.workspace}:{policy.concurrency}" if policy.concurrency else ""
        return self._services.slots.occupy("" if skipped else key, policy.slots)

    async def _work(self, step: Step, scope: Scope, context: StepContext) -> StepOutput:
        seconds, cache = step.policy.cache_seconds, self._services.cache
        key = await asyncio.to_thread(self._cache_key, step, scope) if seconds else ""
        if seconds and (cached := cache.get(key)):
            return replace(cached, cached=True, usage=None, spent=())
        output = await step.action.run(scope, context)
        if step.action.providers:
            # Redact a key that the provider has repeated: callers may use the key but not read it.
            output = self.without_secrets(output)
        if seconds:
            cache.put(key, output, seconds)
        return output

    def _cache_key(self, step: Step, scope: Scope) -> str:
        request = self._request
        try:
            inputs = step.action.inputs(scope)
        except MissingOutputError as error:
            raise StepError(str(error)) from error
        return cache_key(request.workspace, request.base_url, repr(step.action), inputs)

    def _context(self, place: int, step: Step) -> StepContext:
        services = self._services
        name = step.name or step.type
        inner = FlowSubRuns(self._request, place + 1, name, self._compile, self._reporter)
        gateway = services.gateway
        if isinstance(step.action, CallModel):
            # The texts of a map's many model calls could not be distinguished.
            gateway = self.gateway(gateway, place + 1)
        http = services.http.of_run(self._request.run_id)
        receiver = self._request.receiver
        return StepContext(
            self._access, gateway, http, services.expressions, inner, receiver=receiver
        )

    def _step_plan(self, place: int, step: Step, scope: Scope, skipped: str | None) -> StepPlan:
        first = next(iter(step.action.models), ModelChoice("", ""))
        context = self._context(place, step)
        return StepPlan(
            place + 1,
            step.name,
            step.type,
            lambda: self._work(step, scope, context),
            provider=first.provider or None,
            model=first.model or None,
            input=scope.input,
            policy=step.policy,
            skipped=skipped,
            # The run continued without the step's output.
            keeps_failures=step.policy.continue_on_error,
            prompts=step.action.prompts,
        )


async def _end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """If the run itself is cancelled, its steps are cancelled, too."""
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
