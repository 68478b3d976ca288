"""One step of a run as a Prefect task, for all kinds of steps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from opentelemetry.trace import Span
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.states import Completed, Failed

from promptops_flows.engine.logs import log
from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable
from promptops_flows.engine.run_control import RunControl
from promptops_flows.engine.run_trace import step_span
from promptops_flows.engine.runs import Emit
from promptops_flows.engine.step_task import Retry, StepTask
from promptops_flows.protocol.engine_protocol import StepFinished, StepStarted
from promptops_flows.protocol.run_request import Checkpoint
from promptops_flows.steps.approval import Approval
from promptops_flows.steps.context import ItemCounts, StepError, StepOutput
from promptops_flows.steps.policy import ORDINARY, StepPolicy
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_flows.telemetry.tracing import fail
from promptops_providers.answers.redaction import Redactor
from promptops_providers.errors import ProviderError
from promptops_providers.protocol import Completion, PromptVersion, SpentCall, Usage

SKIPPED = "Skipped"
CACHED = "Cached"
_REUSED = "Reused from an earlier attempt of the run"


def internal_error(error: Exception) -> str:
    """The message for an unexpected exception, whose own text may contain secrets."""
    return f"internal error ({type(error).__name__}), see the engine's log"


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The name and the work of a step; `index` counts from 1, `name` may be empty.

    `work` raises `StepError`; it isn't called if the step has a checkpoint or a reason in
    `skipped`. `provider` and `model` are those that are called, if any; `prompts` are the registry
    prompts that it uses. `public_name` replaces a name that a model has written. `completion` is
    stored in the step's checkpoint along with its output; with `keeps_failures`, failures get a
    checkpoint, too.
    """

    index: int
    name: str
    type: str
    work: Callable[[], Awaitable[StepOutput]]
    provider: str | None = None
    model: str | None = None
    input: str | None = None
    public_name: str | None = None
    policy: StepPolicy = ORDINARY
    skipped: str | None = None
    completion: Callable[[], Completion | None] = lambda: None
    keeps_failures: bool = False
    prompts: tuple[PromptVersion, ...] = ()


class StepRun:
    """One step of one run; `output` or `error` is set once it has been executed, or its
    `checkpoint` was used instead. `kinds` are the kinds of the run's connections, `texts` says what
    may be stored of it; `version` is the definition's."""

    def __init__(
        self,
        plan: StepPlan,
        redact: Redactor,
        kinds: Mapping[str, str],
        texts: TextPolicy,
        version: str,
        control: RunControl,
    ) -> None:
        self.output: StepOutput | None = None
        self.error: str | None = None
        self._summary: str | None = None
        self._failed_call: ProviderError | None = None
        self._plan = plan
        self._redact = redact
        self._kinds = kinds
        self._texts = texts
        self._version = version
        self.name = redact(plan.name or plan.type)
        # Callers get the name from the definition, which may be empty.
        self._own_name = redact(plan.name)
        self._stored_name = texts.stored(self.name, plan.public_name)
        self._control = control
        self.checkpoint: Checkpoint | None = None
        if plan.skipped is None:
            self.checkpoint = control.checkpoints.find(plan.index, self._own_name, plan.type)
        self._attempts = 0
        self._failures: list[str] = []
        self._failure_summaries: list[str | None] = []
        self._retry = Retry(again=False)
        self._items: ItemCounts | None = None
        self._started_at = ""
        self._started_clock = self._ended_clock = 0.0

    @property
    def failure(self) -> tuple[str, str | None]:
        """Which step failed, and why: for the caller, and without quoted texts."""
        where = f"step {self._plan.index} ({self.name})"
        summary = None if self._summary is None else f"{where}: {self._summary}"
        return f"{where}: {self.error}", summary

    async def execute(self, after: Sequence[State[Any]], emit: Emit) -> State[Any]:
        """Run as a Prefect task; its graph shows the step after those whose states are `after`,
        including failed ones."""
        task = StepTask(
            self._stored_name, self._work_function(emit), self._why_retried, self._plan.policy
        )
        try:
            state = await task.execute(after, self._control.cancellation)
        except asyncio.CancelledError:
            if self._started_at:
                self._fail("it was stopped before it ended")
                emit(self._finished("Cancelled"))
            raise
        if self.output is None and self.error is None:
            self._fail(self._why_unfinished(state))
        self._keep()
        emit(self._finished(state.name or state.type.value))
        return state

    def _keep(self) -> None:
        """Have the step's checkpoint stored, unless it was skipped or has one."""
        plan, output = self._plan, self.output
        if plan.skipped is not None or self.checkpoint is not None:
            return
        if output is None and plan.keeps_failures:
            notes = () if self._summary is None else (self._summary,)
            output = StepOutput(self.error or "", notes=notes, failed=True)
        if output is not None:
            completion = plan.completion() if self.output else None
            self._control.checkpoints.add(
                Checkpoint(plan.index, self._own_name, plan.type, output, completion)
            )

    def _why_unfinished(self, state: State[Any]) -> str:
        if state.name == "TimedOut":
            return self._too_slow()
        return f"Prefect ended the step as {state.name} before it ran"

    def _why_retried(self) -> Retry:
        if self.error is None:
            self._fail(self._too_slow())
        return self._retry

    def _too_slow(self) -> str:
        return f"it took longer than its timeout of {self._plan.policy.timeout_seconds:g} s"

    def _fail(self, sentence: str, summary: str | None = None) -> None:
        self.error, self._summary = sentence, summary
        self._failures.append(sentence)
        self._failure_summaries.append(summary)

    def _work_function(self, emit: Emit) -> Callable[[], Any]:
        async def step() -> State[Any]:
            self._begin_attempt(emit)
            plan = self._plan
            if plan.skipped is not None:
                self.output = StepOutput("")
                self._ended_clock = self._started_clock
                return Completed(name=SKIPPED, message=printable(plan.skipped, MESSAGE_CHARACTERS))
            if self.checkpoint is not None:
                return self._reuse(self.checkpoint.output)
            with self._span() as span:
                await self._try()
                if self.error is not None:
                    fail(span, "step_failed")
            if self.error is None:
                notes = self._texts.redact("; ".join(self.output.notes if self.output else ()))
                name = CACHED if self.output and self.output.cached else None
                message = printable(notes, MESSAGE_CHARACTERS) or None
                return Completed(message=message) if name is None else Completed(name=name)
            message = self._texts.redact(self._summary or self.error)
            return Failed(message=printable(message, MESSAGE_CHARACTERS))

        return step

    def _reuse(self, output: StepOutput) -> State[Any]:
        self._ended_clock = self._started_clock
        name, message = CACHED, _REUSED
        if self._plan.type == Approval.type:
            note = self._texts.redact(next(iter(output.notes), ""))
            name, message = output.side.capitalize(), printable(note, MESSAGE_CHARACTERS)
        if output.failed:
            self._retry = Retry(again=False)
            self._fail(output.text, next(iter(output.notes), None))
            return Failed(message=message)
        self.output = output
        return Completed(name=name, message=message)

    def _span(self) -> AbstractContextManager[Span]:
        plan = self._plan
        return step_span(
            plan.index,
            self._stored_name,
            plan.type,
            self._attempts,
            version=self._version,
            prompts=plan.prompts,
        )

    async def _try(self) -> None:
        try:
            self.output = await self._plan.work()
        except StepError as error:
            summary = None if error.summary is None else self._redact(error.summary)
            self._fail(self._redact(str(error)), summary)
            self._retry = Retry(error.retryable, error.retry_after)
            self._items = error.items
            self._failed_call = error.failed_call
        # Prefect would show whatever a step's code raises unchanged, including secrets.
        except Exception as error:  # noqa: BLE001
            self._fail(internal_error(error))
            self._log_unexpected(error)
        finally:
            self._ended_clock = time.perf_counter()

    def _begin_attempt(self, emit: Emit) -> None:
        context = TaskRunContext.get()
        self._attempts = context.task_run.run_count if context else 1
        self.output = self.error = self._summary = self._failed_call = None
        # Until the work reports otherwise: a timeout may interrupt it.
        self._retry = Retry(again=True)
        if not self._started_at:
            plan = self._plan
            self._started_clock = time.perf_counter()
            self._started_at = datetime.now(UTC).isoformat()
            # The input of other steps is the output of the previous one, which was just reported.
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
            # A variable may contain a key: the next step gets it, but readers of the run do not.
            output=self._redact(output.text) if output else None,
            error=self.error,
            provider=call.provider,
            model=self._redact(call.model) if call.model else None,
            usage=call.usage,
            input=None if plan.input is None else self._redact(plan.input),
            stop_reason=output.stop_reason if output else None,
            spent=call.spent,
            notes=self._notes() if plan.skipped is None else (plan.skipped,),
            provider_kind=self._kinds.get(call.provider or ""),
            summary=self._summary,
            public_name=plan.public_name,
            failures=tuple(self._failures),
            version=self._version,
            prompts=plan.prompts if plan.skipped is None else (),
            failure_summaries=tuple(self._failure_summaries),
            items=output.items if output else self._items,
            reused=self.checkpoint is not None,
        )

    def _notes(self) -> tuple[str, ...]:
        if self.output:
            return self.output.notes
        return self._failed_call.notes if self._failed_call else ()

    def _call(self) -> _Call:
        """Which model was called last, and what the vendor reported: also of a call that failed."""
        output, failed = self.output, self._failed_call
        if output and self.checkpoint:
            return _Call(output.provider, output.model, None, ())
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
