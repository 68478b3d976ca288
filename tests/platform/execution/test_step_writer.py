"""When the steps of a run under way are written."""

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from harness.platform import RunningPlatform
from promptops_flows.protocol.engine_client import Checkpoint, StepFinished
from promptops_flows.steps.context import StepOutput
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.execution import repository, step_writer
from promptops_platform.execution.step_writer import StepWriter
from promptops_platform.runlog.service import RunLog


class NotedSteps:
    """A run log that notes which steps came in one transaction; `failure` is raised once."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.written: dict[Transaction, list[int]] = {}
        self.came = asyncio.Event()
        self._failure = failure

    async def begin(self, transaction: Transaction, run_id: str, at: datetime) -> None:
        self.came.set()
        self.began = at

    async def add_step(self, transaction: Transaction, run_id: str, step: StepFinished) -> None:
        self.came.set()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        self.written.setdefault(transaction, []).append(step.index)


def finished(index: int) -> StepFinished:
    return StepFinished(
        index=index,
        name="loud",
        type="transform",
        state="Completed",
        started_at="2030-01-01T00:00:00+00:00",
        duration_ms=1,
        attempts=1,
    )


def writer(platform: RunningPlatform, steps: NotedSteps) -> StepWriter:
    under_way, stored = platform.platform.runlog.under_way, platform.platform.execution.stored
    return StepWriter(platform.platform.database, cast("RunLog", steps), under_way, stored, "run-1")


async def rest(platform: RunningPlatform, under_way: StepWriter, steps: NotedSteps) -> list[int]:
    """What is left to the transaction that ends the run."""
    async with platform.platform.database.write() as transaction:
        await under_way.write_rest(transaction, completed=True)
        return steps.written.get(transaction, [])


async def test_steps_are_written_while_the_run_goes_on_and_together(
    platform: RunningPlatform,
) -> None:
    steps = NotedSteps()
    under_way = writer(platform, steps)
    under_way.add(finished(1))
    under_way.add(finished(2))
    await steps.came.wait()
    await under_way.stop()
    assert await rest(platform, under_way, steps) == []
    assert list(steps.written.values()) == [[1, 2]]


async def test_what_ends_right_before_the_run_is_left_to_its_last_transaction(
    platform: RunningPlatform,
) -> None:
    steps = NotedSteps()
    under_way = writer(platform, steps)
    under_way.add(finished(1))
    await under_way.stop()
    assert not steps.came.is_set()
    assert await rest(platform, under_way, steps) == [1]


async def test_a_step_that_the_database_did_not_take_is_written_again(
    platform: RunningPlatform,
) -> None:
    steps = NotedSteps(failure=DatabaseUnavailable("it is away"))
    under_way = writer(platform, steps)
    under_way.add(finished(1))
    await steps.came.wait()
    steps.came.clear()
    await steps.came.wait()
    await under_way.stop()
    assert await rest(platform, under_way, steps) == []
    assert list(steps.written.values()) == [[1]]


async def test_another_failure_ends_the_run(platform: RunningPlatform) -> None:
    steps = NotedSteps(failure=ValueError("a fault of ours"))
    under_way = writer(platform, steps)
    under_way.add(finished(1))
    await steps.came.wait()
    with pytest.raises(ValueError, match="a fault of ours"):
        await under_way.stop()


async def test_a_beginning_is_written_where_the_first_step_takes_long(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_writer, "BEGIN_SECONDS", 0.01)
    steps = NotedSteps()
    under_way = writer(platform, steps)
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    under_way.begin(moment)
    await steps.came.wait()
    await under_way.stop()
    assert steps.began == moment


async def test_a_beginning_is_left_to_the_last_transaction_of_a_short_run(
    platform: RunningPlatform,
) -> None:
    steps = NotedSteps()
    under_way = writer(platform, steps)
    under_way.begin(datetime(2030, 1, 1, tzinfo=UTC))
    await under_way.stop()
    assert not steps.came.is_set()
    await rest(platform, under_way, steps)
    assert steps.came.is_set()


async def test_checkpoints_of_a_run_that_went_with_its_workspace_are_dropped(
    platform: RunningPlatform,
) -> None:
    steps = NotedSteps()
    under_way = writer(platform, steps)
    under_way.add_checkpoint(Checkpoint(1, "loud", "transform", StepOutput("HI")))
    async with platform.platform.database.write() as transaction:
        await under_way.write_rest(transaction, completed=False)
        rows = await repository.checkpoints(transaction.session, "run-1")
    assert rows == []
