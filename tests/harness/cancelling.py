"""Cancels tasks while they wait, at the worst moment: just when the awaited result has arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class CancelledAtWait(Coroutine[Any, Any, Any]):
    """A coroutine whose task is cancelled when the future of its wait `number`, from 1, is done."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int) -> None:
        self._coroutine = coroutine
        self._number = number
        self._waits = 0
        self.task: asyncio.Task[Any] | None = None
        self.reached = asyncio.Event()

    def start(self) -> asyncio.Task[Any]:
        self.task = asyncio.create_task(self)
        return self.task

    def send(self, value: Any) -> Any:
        return self._watched(self._coroutine.send(value))

    def throw(self, *error: Any) -> Any:
        return self._watched(self._coroutine.throw(*error))

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def _watched(self, future: Any) -> Any:
        self._waits += 1
        if self._waits != self._number:
            return future
        if future is None:
            asyncio.get_running_loop().call_soon(self._cancel)
        else:
            # Called before the task's own callback, which it adds when it gets the future.
            future.add_done_callback(lambda _: self._cancel())
        return future

    def _cancel(self) -> None:
        self.reached.set()
        if self.task is not None:
            self.task.cancel()


async def ends_when_cancelled(
    coroutine: Coroutine[Any, Any, Any],
    number: int,
    stir: Callable[[], None],
    *,
    patience: float = 0.3,
    limit: float = 10.0,
) -> bool:
    """Run the coroutine, cancel it at that wait, or after `patience` at its current one, and return
    whether it ended; `stir` is called repeatedly to give it work."""
    cancelled = CancelledAtWait(coroutine, number)
    task = cancelled.start()
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience
    while not cancelled.reached.is_set() and clock() < deadline:
        stir()
        await asyncio.sleep(0)
    if not cancelled.reached.is_set():
        task.cancel()
    done, _ = await asyncio.wait([task], timeout=limit)
    if not done:
        task.cancel()
        await asyncio.wait([task], timeout=limit)
    return bool(done) and (task.cancelled() or task.exception() is None)
