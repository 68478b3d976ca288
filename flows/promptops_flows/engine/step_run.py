"""One step of a run as a Prefect task, whatever the step does."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from prefect import allow_failure
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.states import Completed, Failed
from prefect.task_engine import run_task_async
from prefect.tasks import Task

from promptops_flows.engine.logs import log
from promptops_flows.engine.run_trace import step_span
from promptops_flows.engine.runs import Emit
from promptops_flows.steps import StepError, StepOutput
from promptops_flows.text_policy import TextPolicy
from promptops_flows.tracing import fail
from promptops_flows.wire import StepFinished, StepStarted
from promptops_providers.errors import ProviderError
from promptops_providers.protocol import SpentCall, Usage
from promptops_providers.redaction import Redactor

MESSAGE_CHARACTERS = 2_000
_NAME_CHARACTERS = 200


def printable(text: str, limit: int = _NAME_CHARACTERS) -> str:
    """A text as Prefect's database and pages can hold it: no NUL, no lone surrogate."""
    cut = text[:limit]
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)


def internal_error(error: Exception) -> str:
    """What is said of an exception that nobody foresaw: its text may quote anything."""
    return f"internal error ({type(error).__name__}), see the engine's log"


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What a step is called and does; `index` counts from 1, `name` may be empty.

    `work` raises `StepError`. `provider` and `model` are those that are asked, if any.
    `public_name` stands for a name that a model has made up.
    """

    index: int
    name: str
    type: str
    work: Callable[[], Awaitable[StepOutput]]
    provider: str | None = None
    model: str | None = None
    input: str | None = None
    public_name: str | None = None


class StepRun:
    """One step within one run; `output` or `error` is set once it has been executed. `kinds` are
    those of the run's connections, `texts` says what may be stored of it."""

    def __init__(
        self, plan: StepPlan, redact: Redactor, kinds: Mapping[str, str], texts: TextPolicy
    ) -> None:
        self.output: StepOutput | None = None
        self.error: str | None = None
        self._summary: str | None = None
        self._failed_call: ProviderError | None = None
        self._plan = plan
        self._redact = redact
        self._kinds = kinds
        self._texts = texts
        self.name = redact(plan.name or plan.type)
        # Callers get the name as it was saved, which may be empty.
        self._own_name = redact(plan.name)
        self._stored_name = texts.stored(self.name, plan.public_name)
        self._attempts = 0
        self._started_at = ""
        self._started_clock = self._ended_clock = 0.0

    @property
    def failure(self) -> tuple[str, str | None]:
        """Which step failed, and why: for the caller, and without what that quotes."""
        where = f"step {self._plan.index} ({self.name})"
        summary = None if self._summary is None else f"{where}: {self._summary}"
        return f"{where}: {self.error}", summary

    async def execute(self, after: Sequence[State[Any]], emit: Emit) -> State[Any]:
        """Run as a Prefect task, drawn in its graph behind the steps whose states are `after`,
        also behind those that failed."""
        name = printable(self._stored_name)
        task: Task[[], Any] = Task(
            self._work_function(emit),
            name=name,
            # A function: Prefect would take braces in a text for its own placeholders.
            task_run_name=lambda: name,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
        )
        behind: Any = [allow_failure(state) for state in after]
        state = await run_task_async(task, parameters={}, wait_for=behind, return_type="state")
        assert isinstance(state, State)
        if self.output is None and self.error is None:
            self.error = f"Prefect ended the step as {state.name} before it ran"
        emit(self._finished(state.name or state.type.value))
        return state

    def _work_function(self, emit: Emit) -> Callable[[], Any]:
        async def step() -> State[Any]:
            self._begin_attempt(emit)
            plan = self._plan
            with step_span(plan.index, self._stored_name, plan.type, self._attempts) as span:
                await self._try()
                if self.error is not None:
                    fail(span, "step_failed")
            if self.error is None:
                return Completed()
            message = self._texts.redact(self._summary or self.error)
            return Failed(message=printable(message, MESSAGE_CHARACTERS))

        return step

    async def _try(self) -> None:
        try:
            self.output = await self._plan.work()
        except StepError as error:
            self.error = self._redact(str(error))
            self._summary = None if error.summary is None else self._redact(error.summary)
            self._failed_call = error.failed_call
        # Whatever a step's code raises would be shown by Prefect as it is, secrets included.
        except Exception as error:  # noqa: BLE001
            self.error = internal_error(error)
            self._log_unexpected(error)
        finally:
            self._ended_clock = time.perf_counter()

    def _begin_attempt(self, emit: Emit) -> None:
        context = TaskRunContext.get()
        self._attempts = context.task_run.run_count if context else 1
        self.output = self.error = self._summary = self._failed_call = None
        if not self._started_at:
            plan = self._plan
            self._started_clock = time.perf_counter()
            self._started_at = datetime.now(UTC).isoformat()
            # Of other steps it has just been told, as the output of the one before.
            shown = plan.input if plan.type == "tool" else None
            emit(StepStarted(plan.index, self._own_name, plan.type, self._started_at, shown))

    def _log_unexpected(self, error: Exception) -> None:
        trace = self._redact(self._texts.traceback(error))
        log(logging.ERROR, "step.internal_error", step=self._plan.index, trace=trace)

    def _finished(self, state_name: str) -> StepFinished:
        plan, output, call = self._plan, self.output, self._call()
        return StepFinished(
            index=plan.index,
            name=self._own_name,
            type=plan.type,
            state=state_name,
            started_at=self._started_at or datetime.now(UTC).isoformat(),
            duration_ms=round((self._ended_clock - self._started_clock) * 1000),
            attempts=self._attempts,
            # A variable may hold a key: it goes on to the next step, but not to who reads of this.
            output=self._redact(output.text) if output else None,
            error=self.error,
            provider=call.provider,
            model=self._redact(call.model) if call.model else None,
            usage=call.usage,
            input=None if plan.input is None else self._redact(plan.input),
            stop_reason=output.stop_reason if output else None,
            spent=call.spent,
            notes=output.notes if output else (),
            provider_kind=self._kinds.get(call.provider or ""),
            summary=self._summary,
            public_name=plan.public_name,
        )

    def _call(self) -> _Call:
        """Which model was called last, and what the vendor reported: also of a call that failed."""
        output, failed = self.output, self._failed_call
        if output:
            return _Call(output.provider, output.model, output.usage, output.spent)
        if failed is not None and failed.usage is not None:
            return _Call(failed.provider, failed.model, failed.usage, failed.spent)
        spent = failed.spent if failed else ()
        return _Call(self._plan.provider, self._plan.model, None, spent)


class _Call(NamedTuple):
    provider: str | None
    model: str | None
    usage: Usage | None
    spent: tuple[SpentCall, ...]
