"""Places for which callers wait in lines of their own."""

import asyncio

import pytest

from promptops_platform.fair_queue import FairQueue, QueueFull


class Crowd:
    """Callers that keep their place until they are told to leave."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.entered: list[str] = []

    async def ask(self, line: str) -> "asyncio.Task[None]":
        """Begin to wait in this line."""
        task = asyncio.create_task(self._ask(line))
        await settle()
        return task

    async def _ask(self, line: str) -> None:
        await self.queue.enter(line)
        self.entered.append(line)

    async def leave(self, times: int = 1) -> None:
        for _ in range(times):
            self.queue.leave()
            await settle()


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_places_go_to_the_lines_in_turn() -> None:
    crowd = Crowd(FairQueue(1))
    tasks = [await crowd.ask(line) for line in [*["flood"] * 5, "ada", "bob"]]
    assert crowd.entered == ["flood"]
    await crowd.leave(6)
    assert crowd.entered == ["flood", "flood", "ada", "bob", "flood", "flood", "flood"]
    await asyncio.gather(*tasks)


async def test_who_hangs_up_takes_no_place_along() -> None:
    crowd = Crowd(FairQueue(1))
    await crowd.ask("ada")
    gone, waiting = await crowd.ask("bob"), await crowd.ask("eve")
    gone.cancel()
    await asyncio.wait([gone])
    last = await crowd.ask("joe")
    crowd.queue.leave()
    # In the very moment in which the place was given.
    waiting.cancel()
    await asyncio.wait([waiting, last])
    assert crowd.entered == ["ada", "joe"]
    assert crowd.queue.waiting == 0
    crowd.queue.leave()
    await crowd.ask("eve")
    assert crowd.entered[-1] == "eve"


async def test_a_full_line_refuses_its_own_caller() -> None:
    crowd = Crowd(FairQueue(1, most_per_line=2))
    tasks = [await crowd.ask("flood") for _ in range(3)]
    with pytest.raises(QueueFull):
        await crowd.queue.enter("flood")
    tasks.append(await crowd.ask("ada"))
    await crowd.leave(3)
    assert crowd.entered == ["flood", "flood", "ada", "flood"]
    await asyncio.gather(*tasks)


async def test_a_full_queue_refuses_the_last_one_of_the_longest_line() -> None:
    crowd = Crowd(FairQueue(1, most_waiting=4))
    first = await crowd.ask("flood")
    waiting = [await crowd.ask(line) for line in ["flood", "flood", "flood", "bob"]]
    ada = await crowd.ask("ada")
    await asyncio.wait([waiting[2]])
    assert isinstance(waiting[2].exception(), QueueFull)
    # Now no line is longer than what another caller would have.
    eve = await crowd.ask("eve")
    assert isinstance(waiting[1].exception(), QueueFull)
    with pytest.raises(QueueFull):
        await crowd.queue.enter("joe")
    await crowd.leave(4)
    assert sorted(crowd.entered) == ["ada", "bob", "eve", "flood", "flood"]
    await asyncio.gather(first, waiting[0], waiting[3], ada, eve)
