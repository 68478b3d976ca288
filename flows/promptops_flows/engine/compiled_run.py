"""What all runs share, whatever they are compiled from: a Prefect flow, and how it ended.

Texts, variables and keys pass from step to step inside this process and never as Prefect
parameters or results: Prefect shows those to everyone who may see it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from prefect.client.schemas.objects import State
from prefect.flows import Flow
from prefect.states import Completed, Failed

from promptops_flows.engine.logs import log
from promptops_flows.engine.runs import Emit
from promptops_flows.engine.step_run import (
    MESSAGE_CHARACTERS,
    StepPlan,
    StepRun,
    internal_error,
    printable,
)
from promptops_flows.steps import MAX_RUN_CHARACTERS, StepContext, StepOutput
from promptops_flows.wire import RunFinished, RunRequest
from promptops_providers.gateway import ModelGateway
from promptops_providers.redaction import Redactor

_DEFAULT_WORKSPACE = "default"


def flow_name(workspace: str, key: str) -> str:
    """How the flow of that definition is called in Prefect, which knows no workspaces."""
    return key if workspace == _DEFAULT_WORKSPACE else f"{workspace}:{key}"


def step_context(request: RunRequest, gateway: ModelGateway) -> StepContext:
    """What the steps of that run share."""
    return StepContext(
        request.variables,
        gateway,
        request.api_key,
        request.base_url,
        {each.provider: each for each in request.connections},
    )


class StepFailedError(Exception):
    """A step failed, and the run with it; the text names the step. `summary` as in `StepError`."""

    def __init__(self, sentence: str, summary: str | None = None) -> None:
        super().__init__(sentence)
        self.summary = summary


class CompiledRun(ABC):
    """One run of one definition.

    `flow` executes it. `result` is how it ended and `state` how Prefect is to show that; both are
    None while it has not come to an end. `ended` is set along with `result`.
    """

    def __init__(self, request: RunRequest, emit: Emit) -> None:
        self.result: RunFinished | None = None
        self.ended = asyncio.Event()
        self.state: State[Any] | None = None
        self.redact = Redactor(request.secrets)
        self.texts = request.texts
        self.emit = emit
        self.steps = 0
        self._kinds = {each.provider: each.kind for each in request.connections}
        self._produced = 0
        self.flow: Flow[Any, Any] = Flow(
            self._body_function(),
            name=flow_name(request.workspace, request.key),
            version=request.version,
            validate_parameters=False,
            persist_result=False,
            log_prints=False,
        )

    @abstractmethod
    async def run_steps(self) -> RunFinished:
        """Run all steps; raises `StepFailedError`."""

    def without_secrets(self, output: StepOutput) -> StepOutput:
        """The output as it may be shown and passed on."""
        return replace(output, text=self.redact(output.text))

    async def step(self, plan: StepPlan, after: Iterable[State[Any]]) -> tuple[StepRun, State[Any]]:
        """Run one step; a failed one is for the caller to judge. Raises `StepFailedError` when the
        outputs grow too long together."""
        run = StepRun(plan, self.redact, self._kinds, self.texts)
        state = await run.execute(list(after), self.emit)
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
        try:
            result = await self.run_steps()
        except StepFailedError as error:
            return self._failed(str(error), error.summary)
        # Prefect would store its text, whatever that quotes.
        except Exception as error:  # noqa: BLE001
            trace = self.redact(self.texts.traceback(error))
            log(logging.ERROR, "run.internal_error", trace=trace)
            return self._failed(internal_error(error))
        self._end(result)
        # A state of our own making: returning the text would hand it to Prefect.
        return Completed(message=f"Steps completed: {self.steps}")

    def _failed(self, sentence: str, summary: str | None = None) -> State[Any]:
        self._end(RunFinished("error", error=sentence, summary=summary))
        message = self.texts.redact(summary or sentence)
        return Failed(message=printable(message, MESSAGE_CHARACTERS))

    def _end(self, result: RunFinished) -> None:
        output = None if result.output is None else self.redact(result.output)
        self.result = replace(result, output=output)
        self.ended.set()
