"""What the runs of agents and workflows share: the Prefect flow, and the result.

Texts, variables and keys pass from step to step inside this process and never as Prefect parameters
or results, which are visible to everyone with access to Prefect.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from prefect.client.schemas.objects import State
from prefect.flows import Flow
from prefect.settings import get_current_settings
from prefect.states import Completed, Failed, Suspended

from promptops_flows.engine.cancellation import RunCancelledError
from promptops_flows.engine.logs import log
from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable
from promptops_flows.engine.run_control import RunControl
from promptops_flows.engine.runs import Emit
from promptops_flows.engine.step_run import StepPlan, StepRun, internal_error
from promptops_flows.protocol.engine_protocol import RunFinished, StepDelta
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.protocol.suspension_messages import ApprovalAsked, RunSuspended
from promptops_flows.steps.context import MAX_RUN_CHARACTERS, ModelAccess, StepOutput
from promptops_flows.steps.streamed_gateway import StreamedGateway
from promptops_providers.answers.redaction import Redactor
from promptops_providers.gateway import ModelGateway

_DEFAULT_WORKSPACE = "default"


def flow_name(workspace: str, key: str) -> str:
    """The name of the definition's flow in Prefect, which has no workspaces."""
    return key if workspace == _DEFAULT_WORKSPACE else f"{workspace}:{key}"


def model_access(request: RunRequest) -> ModelAccess:
    """How the steps of that run call models."""
    return ModelAccess(
        request.api_key,
        request.base_url,
        {connection.provider: connection for connection in request.connections},
    )


class StepFailedError(Exception):
    """A step failed, and with it the run; the message names the step. For `summary` see
    `StepError`."""

    def __init__(self, sentence: str, summary: str | None = None) -> None:
        super().__init__(sentence)
        self.summary = summary


class RunSuspendedError(Exception):
    """The run waits for people; `approvals` are in the order of the steps."""

    def __init__(self, approvals: Sequence[ApprovalAsked]) -> None:
        super().__init__()
        self.approvals = tuple(approvals)


class CompiledRun(ABC):
    """One run of one definition.

    `flow` executes it. `result` tells how it ended or that it is suspended, and `state` is the
    matching state in Prefect; both are None until then. `ended` is set along with `result`.
    """

    def __init__(
        self,
        request: RunRequest,
        emit: Emit,
        control: RunControl,
        timeout_seconds: float | None = None,
    ) -> None:
        self.result: RunFinished | RunSuspended | None = None
        self.ended = asyncio.Event()
        self.control = control
        self.flow_run_name = printable(f"{request.key} · {request.run_id[-6:]}")
        self._timeout_seconds = timeout_seconds
        self._has_begun = False
        self.state: State[Any] | None = None
        self.redact = Redactor(request.secrets)
        self.texts = request.texts
        self.emit = emit
        self.steps = 0
        self._is_streamed = request.stream
        self._kinds = {connection.provider: connection.kind for connection in request.connections}
        self._version = request.version
        self._page_url = request.page_url
        self._produced = 0
        self.flow: Flow[Any, Any] = Flow(
            self._body_function(),
            name=flow_name(request.workspace, request.key),
            version=request.version,
            validate_parameters=False,
            persist_result=False,
            # Nothing is stored there. Without this setting Prefect requests it from its server for
            # each run, which blocks the event loop.
            result_storage=get_current_settings().results.local_storage_path,
            log_prints=False,
        )

    @abstractmethod
    async def run_steps(self) -> RunFinished:
        """Run all steps; raises `StepFailedError`."""

    def cancel(self, by: str) -> None:
        """Stop the steps. Has no effect on a run that has ended."""
        if self.result is None:
            self.control.cancellation.request(by)
            self._end_not_started()

    def abandon(self) -> None:
        """Stop the steps; somebody else continues the run."""
        if self.result is None:
            self.control.cancellation.abandon()
            self._end_not_started()

    def without_secrets(self, output: StepOutput) -> StepOutput:
        """The output with secrets redacted, so that it can be shown and passed on."""
        value = None if output.value is None else self.redact.within(output.value)
        return replace(output, text=self.redact(output.text), value=value)

    def gateway(self, gateway: ModelGateway, index: int) -> ModelGateway:
        """The gateway for the step with that index; it streams the model's text if the caller asked
        for it."""
        if not self._is_streamed:
            return gateway

        def send_text(text: str, call: int) -> None:
            self.emit(StepDelta(index, text, call))

        return StreamedGateway(gateway, self.redact, send_text)

    async def step(self, plan: StepPlan, after: Iterable[State[Any]]) -> tuple[StepRun, State[Any]]:
        """Run one step; the caller handles a failure. Raises `StepFailedError` if the outputs
        together exceed the limit."""
        run = StepRun(plan, self.redact, self._kinds, self.texts, self._version, self.control)
        state = await run.execute(list(after), self.emit)
        await self.control.checkpoints.stored(plan.index)
        self.steps += 1
        self._produced += len(run.output.text) if run.output else 0
        if self._produced > MAX_RUN_CHARACTERS:
            raise StepFailedError(
                f"step {plan.index} ({run.name}): the steps' outputs are longer than "
                f"{MAX_RUN_CHARACTERS:,} characters together; shorten them"
            )
        return run, state

    def _body_function(self) -> Callable[[], Any]:
        async def body() -> State[Any]:
            self.state = await self._run()
            return self.state

        return body

    async def _run(self) -> State[Any]:
        if self.state is not None:
            return self.state
        self._has_begun = True
        timeout = asyncio.timeout(self._timeout_seconds)
        try:
            async with self.control.scope(), timeout:
                result = await self.run_steps()
        except (RunCancelledError, RunSuspendedError) as error:
            return self._stopped(error)
        except StepFailedError as error:
            return self._failed(str(error), error.summary)
        # Prefect would store the exception's text, which may quote secrets.
        except Exception as error:  # noqa: BLE001
            if isinstance(error, TimeoutError) and timeout.expired():
                return self._timed_out()
            trace = self.redact(self.texts.traceback(error))
            log(logging.ERROR, "run.internal_error", trace=trace)
            return self._failed(internal_error(error))
        self._end(result)
        # An explicit state: returning the text would give it to Prefect.
        return Completed(message=f"Steps completed: {self.steps}")

    def _failed(self, sentence: str, summary: str | None = None) -> State[Any]:
        self._end(RunFinished("error", error=sentence, summary=summary))
        message = self.texts.redact(summary or sentence)
        return Failed(message=printable(message, MESSAGE_CHARACTERS))

    def _timed_out(self) -> State[Any]:
        sentence = f"the run took longer than its timeout of {self._timeout_seconds:g} s"
        self._end(RunFinished("error", error=sentence, state="timed_out"))
        return Failed(name="TimedOut", message=sentence)

    def _stopped(self, error: RunCancelledError | RunSuspendedError) -> State[Any]:
        if isinstance(error, RunSuspendedError):
            return self._suspended(error.approvals)
        return self._cancelled()

    def _suspended(self, approvals: tuple[ApprovalAsked, ...]) -> State[Any]:
        self.result = RunSuspended(approvals)
        self.ended.set()
        names = ", ".join(
            f"step {approval.index} ({self.texts.stored(approval.name or 'approval', None)})"
            for approval in approvals
        )
        where = f"; decide at {self._page_url}" if self._page_url else ""
        message = f"Waits for a decision on {names}{where}"
        return Suspended(message=printable(message, MESSAGE_CHARACTERS))

    def _cancelled(self) -> State[Any]:
        cancellation = self.control.cancellation
        self._end(cancellation.end())
        return cancellation.state()

    def _end_not_started(self) -> None:
        """End a run that Prefect hasn't let begin; it has no steps to stop."""
        if not self._has_begun:
            self.state = self._cancelled()

    def _end(self, result: RunFinished) -> None:
        output = None if result.output is None else self.redact(result.output)
        self.result = replace(result, output=output)
        self.ended.set()
