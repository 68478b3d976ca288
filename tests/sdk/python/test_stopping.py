"""The asyncio client loses no cancellation."""

import asyncio

import pytest

from harness.cancelling import CancelledAtWait, ends_when_cancelled
from promptops.aio.cancellation import end_task, within


async def step(seconds: float = 0) -> str:
    await asyncio.sleep(seconds)
    return "done"


async def repeat() -> None:
    while True:
        await within(5, step())


@pytest.mark.parametrize("number", range(1, 15))
async def test_a_loop_that_waits_with_a_limit_ends_when_cancelled(number: int) -> None:
    assert await ends_when_cancelled(repeat(), number, lambda: None)


async def test_results_failures_and_the_time_limit() -> None:
    async def failing() -> None:
        raise ValueError("a fault")

    assert await within(5, step()) == "done"
    with pytest.raises(ValueError, match="a fault"):
        await within(5, failing())
    with pytest.raises(asyncio.TimeoutError):
        await within(0, step(60))


async def test_a_late_result_goes_to_unwanted() -> None:
    unwanted: list[str] = []
    for number in range(1, 4):
        cancelled = CancelledAtWait(within(5, step(), unwanted.append), number)
        task = cancelled.start()
        await asyncio.wait([task])
        assert task.cancelled() or task.result() == "done"
    # The result was available already when the wait for it was cancelled.
    assert unwanted == ["done"]


async def test_a_task_that_ignores_cancellation_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptops.aio.cancellation.AGAIN_SECONDS", 0.01)

    async def deaf() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await end_task(task)
    assert task.done()
