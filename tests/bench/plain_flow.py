"""The baseline of a run: three tasks in a flow as Prefect's tutorial writes it.

A process of its own with its own Prefect settings: each line of input is a number of runs, each
line of output lists the seconds that each of them took.
"""

import asyncio
import json
import sys
import time

from prefect import flow, task


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


async def timed() -> float:
    """Run once; the seconds it took."""
    started = time.perf_counter()
    assert await greeting("Ada") == "HELLO ADA"
    return time.perf_counter() - started


async def serve_lines() -> None:
    """Runs as they are asked for, one after the other."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps([await timed() for _ in range(int(line))]), flush=True)


if __name__ == "__main__":
    asyncio.run(serve_lines())
