"""The baseline of a run: three tasks in a flow as Prefect's tutorial writes it.

A process of its own with its own Prefect settings: each line of input is a number of runs, each
line of output the seconds that each of them took.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prefect import flow, task

from bench.servers import Server, environment


@task
async def greet(name: str) -> str:
    return f"  Hello {name}  "


@task
async def loud(text: str) -> str:
    return text.upper()


@task
async def tidy(text: str) -> str:
    return text.strip()


@flow
async def greeting(name: str) -> str:
    return await tidy(await loud(await greet(name)))


class PlainFlow:
    """The process, asked for runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, times: int) -> list[float]:
        """Milliseconds of each run, one after the other."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{times}\n".encode())
        seconds = json.loads(await self._process.stdout.readline())
        return [each * 1000 for each in seconds]


@asynccontextmanager
async def plain_flow(server: Server, folder: Path) -> AsyncIterator[PlainFlow]:
    """The process against a Prefect server."""
    env = {
        "PREFECT_API_URL": f"http://127.0.0.1:{server.port}/api",
        "PREFECT_HOME": str(folder / "client"),
        "DO_NOT_TRACK": "1",
    }
    with (folder / "flow.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", __file__),
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


def _main() -> None:
    for line in sys.stdin:
        print(json.dumps([_timed() for _ in range(int(line))]), flush=True)


def _timed() -> float:
    started = time.perf_counter()
    assert asyncio.run(greeting("Ada")) == "HELLO ADA"
    return time.perf_counter() - started


if __name__ == "__main__":
    _main()
