"""The baselines of a run: the same three tasks in a plain flow, of coroutines and of functions.

A process with Prefect settings of its own: `async 8` or `sync 8` on its input runs that flow eight
times, one after the other; the line that comes back lists the seconds that each run took.
`together:4 8` runs four flows of coroutines at once, each eight times; the line lists the seconds
that they took together.
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


@task
def greet_sync(name: str) -> str:
    return f"  Hello {name}  "


@task
def loud_sync(text: str) -> str:
    return text.upper()


@task
def tidy_sync(text: str) -> str:
    return text.strip()


@flow
def greeting_sync(name: str) -> str:
    return tidy_sync(loud_sync(greet_sync(name)))


async def timed_async(times: int) -> list[float]:
    """The seconds of each run, all on one event loop."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        assert await greeting("Ada") == "HELLO ADA"
        seconds.append(time.perf_counter() - started)
    return seconds


async def timed_together(width: int, times: int) -> list[float]:
    """The seconds of all runs, on one event loop."""
    started = time.perf_counter()
    await asyncio.gather(*(timed_async(times) for _ in range(width)))
    return [time.perf_counter() - started]


def timed_sync(times: int) -> list[float]:
    """The seconds of each run."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        assert greeting_sync("Ada") == "HELLO ADA"
        seconds.append(time.perf_counter() - started)
    return seconds


def timed(kind: str, times: int) -> list[float]:
    """The seconds of runs of that kind."""
    if kind == "sync":
        return timed_sync(times)
    if kind == "async":
        return asyncio.run(timed_async(times))
    return asyncio.run(timed_together(int(kind.removeprefix("together:")), times))


if __name__ == "__main__":
    for line in sys.stdin:
        kind, number = line.split()
        print(json.dumps(timed(kind, int(number))), flush=True)
