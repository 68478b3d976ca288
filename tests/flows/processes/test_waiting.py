"""No cancellation is lost, at any moment."""

import asyncio

import pytest

from harness.cancelling import ends_when_cancelled
from promptops_flows.processes.waiting import end_tasks, happens_within


async def follow(event: asyncio.Event) -> None:
    """A typical loop that is woken up, and polls now and then."""
    while True:
        await happens_within(event, 0.005)
        event.clear()


@pytest.mark.parametrize("number", range(1, 20))
async def test_a_loop_that_waits_for_an_event_ends_when_cancelled(number: int) -> None:
    event = asyncio.Event()
    assert await ends_when_cancelled(follow(event), number, event.set)


async def test_an_event_happens_in_time_or_not() -> None:
    event = asyncio.Event()
    assert not await happens_within(event, 0)
    event.set()
    assert await happens_within(event, 0)
    assert await happens_within(event, 1)


async def test_a_task_that_loses_cancellations_is_ended_anyway() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task, done = asyncio.create_task(deaf()), asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0)
    await end_tasks(task, None, done, again_seconds=0.01)
    assert (task.cancelled(), done.done(), lost) == (True, True, 3)
    await end_tasks(task, None)
