"""A step as a task run in Prefect, which is cancelled along with its run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from prefect import allow_failure
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.task_engine import AsyncTaskRunEngine
from prefect.tasks import Task, exponential_backoff

from promptops_flows.engine.cancellation import Cancellation
from promptops_flows.engine.printable import printable
from promptops_flows.steps.policy import StepPolicy

# The delay doubles with each retry, with a jitter of up to half of it in both directions.
_FIRST_RETRY_SECONDS = 1.0
_JITTER = 0.5


class Retry(NamedTuple):
    """Whether a failed step is retried, and the number of seconds that the server asked to wait, if
    it did."""

    again: bool
    after: float | None = None


@dataclass(frozen=True, slots=True)
class StepTask:
    """`work` is called for each attempt, and returns its state; after a failed attempt `retry` is
    called."""

    name: str
    work: Callable[[], Awaitable[State[Any]]]
    retry: Callable[[], Retry]
    policy: StepPolicy

    async def execute(self, after: Sequence[State[Any]], cancellation: Cancellation) -> State[Any]:
        """Run the step; Prefect's graph shows it after the task runs whose states are `after`,
        including failed ones."""
        name = printable(self.name)
        delays = exponential_backoff(_FIRST_RETRY_SECONDS)(self.policy.retries)

        def retries(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
            again, seconds = self.retry()
            task.retry_jitter_factor = _JITTER
            if seconds is not None:
                # The server's own delay takes precedence, and jitter could shorten it.
                task.retry_jitter_factor = None
                delays[run.run_count - 1] = seconds
            return again

        task: Task[[], Any] = Task(
            self.work,
            name=name,
            # A function: Prefect would interpret braces in a text as its own placeholders.
            task_run_name=lambda: name,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
            retries=self.policy.retries,
            retry_delay_seconds=delays,
            retry_jitter_factor=_JITTER,
            retry_condition_fn=retries,
            timeout_seconds=self.policy.timeout_seconds,
        )
        behind: Any = [allow_failure(state) for state in after]
        return await _StepEngine(task=task, wait_for=behind, cancellation=cancellation).execute()


@dataclass
class _StepEngine(AsyncTaskRunEngine[[], Any]):
    cancellation: Cancellation | None = None

    async def execute(self) -> State[Any]:
        async with self.start():
            while self.is_running():
                await self.wait_until_ready()
                async with (
                    self.asset_context(),
                    self.run_context(),
                    self.transaction_context() as transaction,
                ):
                    # Prefect's types don't say that the result is a coroutine if the task is one.
                    await cast("Awaitable[Any]", self.call_task_fn(transaction))
        return self.state

    async def handle_crash(self, exc: BaseException) -> None:
        assert self.cancellation is not None
        if not isinstance(exc, asyncio.CancelledError) or not self.cancellation.is_requested:
            await super().handle_crash(exc)
        elif not self.state.is_final():
            await self.set_state(self.cancellation.state())
