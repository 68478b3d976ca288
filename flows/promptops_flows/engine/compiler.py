"""A workflow's definition becomes a Prefect flow, whose tasks are the steps.

Texts, variables and keys pass from step to step inside this process and never as Prefect
parameters or results: Prefect shows those to everyone who may see it.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.flows import Flow
from prefect.states import Completed, Failed
from prefect.task_engine import run_task_async
from prefect.tasks import Task

from promptops_flows.definitions import ModelStep, Step, WorkflowDefinition, display_name
from promptops_flows.engine.logs import log
from promptops_flows.engine.run_trace import step_span
from promptops_flows.engine.runs import Emit
from promptops_flows.redaction import Redactor
from promptops_flows.steps import MAX_RUN_CHARACTERS, StepContext, StepError, StepOutput, run_step
from promptops_flows.tracing import fail
from promptops_flows.wire import RunFinished, RunRequest, StepFinished, StepStarted
from promptops_providers.gateway import ModelGateway

_DEFAULT_WORKSPACE = "default"
_NAME_CHARACTERS = 200
_MESSAGE_CHARACTERS = 2_000


def flow_name(workspace: str, key: str) -> str:
    """How the flow of that workflow is called in Prefect, which knows no workspaces."""
    return key if workspace == _DEFAULT_WORKSPACE else f"{workspace}:{key}"


def printable(text: str, limit: int = _NAME_CHARACTERS) -> str:
    """A text as Prefect's database and pages can hold it: no NUL, no lone surrogate."""
    cut = text[:limit]
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)


class CompiledRun:
    """One run of one definition.

    `flow` executes it. `result` is how it ended and `state` how Prefect is to show that; both are
    None while it has not come to an end. `ended` is set along with `result`.
    """

    def __init__(
        self,
        request: RunRequest,
        definition: WorkflowDefinition,
        gateway: ModelGateway,
        emit: Emit,
    ) -> None:
        self.result: RunFinished | None = None
        self.ended = asyncio.Event()
        self.state: State[Any] | None = None
        self._redact = Redactor(request.secrets)
        self._context = StepContext(
            request.variables,
            gateway,
            request.api_key,
            request.base_url,
            {each.provider: each for each in request.connections},
        )
        self._definition = definition
        self._emit = emit
        self.flow: Flow[Any, Any] = Flow(
            self._body_function(),
            name=flow_name(request.workspace, request.key),
            version=request.version,
            validate_parameters=False,
            persist_result=False,
            log_prints=False,
        )

    def _body_function(self) -> Callable[[], Any]:
        async def workflow() -> State[Any]:
            self.state = await self._run_steps()
            return self.state

        return workflow

    async def _run_steps(self) -> State[Any]:
        text, produced = "", 0
        state: State[Any] | None = None
        for index, step in enumerate(self._definition.steps, 1):
            run = _StepRun(index, step, text, self._context, self._redact)
            state = await run.execute(after=state, emit=self._emit)
            if run.output is None:
                return self._failed(f"step {index} ({run.name}): {run.error}")
            text = run.output.text
            produced += len(text)
            if produced > MAX_RUN_CHARACTERS:
                return self._failed(
                    f"step {index} ({run.name}): the steps' outputs are longer than "
                    f"{MAX_RUN_CHARACTERS:,} characters together; shorten them"
                )
        self._end(RunFinished("ok", output=text))
        # A state of our own making: returning the text would hand it to Prefect.
        return Completed(message=f"Steps completed: {len(self._definition.steps)}")

    def _failed(self, error: str) -> State[Any]:
        self._end(RunFinished("error", error=error))
        return Failed(message=printable(error, _MESSAGE_CHARACTERS))

    def _end(self, result: RunFinished) -> None:
        self.result = result
        self.ended.set()


class _StepRun:
    """One step within one run; `output` or `error` is set once it has been executed."""

    def __init__(
        self, index: int, step: Step, incoming: str, context: StepContext, redact: Redactor
    ) -> None:
        self.output: StepOutput | None = None
        self.error: str | None = None
        self._index = index
        self._step = step
        self._incoming = incoming
        self._context = context
        self._redact = redact
        self.name = redact(display_name(step))
        # Callers get the name as it was saved, which may be empty.
        self._own_name = redact(step.name)
        self._attempts = 0
        self._started_at = ""
        self._started_clock = self._ended_clock = 0.0

    async def execute(self, after: State[Any] | None, emit: Emit) -> State[Any]:
        """Run as a Prefect task, drawn in its graph behind the step whose state is `after`."""
        name = printable(self.name)
        task: Task[[], Any] = Task(
            self._work_function(emit),
            name=name,
            # A function: Prefect would take braces in a text for its own placeholders.
            task_run_name=lambda: name,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
        )
        behind = [after] if after else []
        state = await run_task_async(task, parameters={}, wait_for=behind, return_type="state")
        assert isinstance(state, State)
        if self.output is None and self.error is None:
            self.error = f"Prefect ended the step as {state.name} before it ran"
        emit(self._finished(state.name or state.type.value))
        return state

    def _work_function(self, emit: Emit) -> Callable[[], Any]:
        async def step() -> State[Any]:
            self._begin_attempt(emit)
            with step_span(self._index, self.name, self._step.type, self._attempts) as span:
                await self._try()
                if self.error is not None:
                    fail(span, "step_failed")
            if self.error is None:
                return Completed()
            return Failed(message=printable(self.error, _MESSAGE_CHARACTERS))

        return step

    def _shown(self, output: StepOutput) -> StepOutput:
        """Without a key that the provider has repeated: callers may use it, and not read it."""
        if not isinstance(self._step, ModelStep):
            return output
        return replace(output, text=self._redact(output.text))

    async def _try(self) -> None:
        try:
            self.output = self._shown(await run_step(self._step, self._incoming, self._context))
        except StepError as error:
            self.error = self._redact(str(error))
        # Whatever a step's code raises would be shown by Prefect as it is, secrets included.
        except Exception as error:  # noqa: BLE001
            self.error = f"internal error ({type(error).__name__}), see the engine's log"
            self._log_unexpected(error)
        finally:
            self._ended_clock = time.perf_counter()

    def _begin_attempt(self, emit: Emit) -> None:
        context = TaskRunContext.get()
        self._attempts = context.task_run.run_count if context else 1
        self.output = self.error = None
        if not self._started_at:
            self._started_clock = time.perf_counter()
            self._started_at = datetime.now(UTC).isoformat()
            emit(StepStarted(self._index, self._own_name, self._step.type, self._started_at))

    def _log_unexpected(self, error: Exception) -> None:
        trace = self._redact("".join(traceback.format_exception(error)))
        log(logging.ERROR, "step.internal_error", step=self._index, trace=trace)

    def _finished(self, state_name: str) -> StepFinished:
        step, output = self._step, self.output
        asked = (step.provider, step.model or None) if isinstance(step, ModelStep) else (None, None)
        return StepFinished(
            index=self._index,
            name=self._own_name,
            type=self._step.type,
            state=state_name,
            started_at=self._started_at or datetime.now(UTC).isoformat(),
            duration_ms=round((self._ended_clock - self._started_clock) * 1000),
            attempts=self._attempts,
            output=output.text if output else None,
            error=self.error,
            provider=output.provider if output else asked[0],
            model=output.model if output else asked[1],
            usage=output.usage if output else None,
            input=self._incoming,
            stop_reason=output.stop_reason if output else None,
        )
