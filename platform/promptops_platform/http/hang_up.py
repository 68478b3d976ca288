"""Cancels work when its caller disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.types import Receive

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.errors import CallerGone

T = TypeVar("T")


async def unless_hung_up(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, or raise what it raises. If the caller disconnects, `work` is
    cancelled, and CallerGone is raised once it has ended. The body of the request must have been
    read."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(hung_up(request.receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        await end_tasks(leaving, working)
    raise CallerGone("the caller closed the connection before the answer was complete")


async def hung_up(receive: Receive) -> None:
    """Wait until the caller disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
