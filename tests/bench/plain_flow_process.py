"""Starts the process with the plain flow and asks it for runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.servers import Server, environment, module


class PlainFlow:
    """The process of `plain_flow.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def one_by_one(self, kind: str, times: int) -> list[float]:
        """Milliseconds of each run, one after the other."""
        return [second * 1000 for second in await self._ask(kind, times)]

    async def at_once(self, width: int, times: int) -> float:
        """Runs a second of `width` flows of coroutines at once, each `times` in a row."""
        (seconds,) = await self._ask(f"together:{width}", times)
        return width * times / seconds

    async def _ask(self, kind: str, times: int) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind} {times}\n".encode())
        seconds: list[float] = json.loads(await self._process.stdout.readline())
        return seconds


@asynccontextmanager
async def plain_flow_process(server: Server, folder: Path) -> AsyncIterator[PlainFlow]:
    """The process against this Prefect server."""
    env = {
        "PREFECT_API_URL": f"http://127.0.0.1:{server.port}/api",
        "PREFECT_HOME": str(folder / "client"),
        "DO_NOT_TRACK": "1",
    }
    with (folder / "flow.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *module("bench.plain_flow"),
            env=environment(env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield PlainFlow(process)
    finally:
        process.terminate()
        await process.wait()
