"""Runs a three-step flow many times at once with PREFECT_API_URL; prints the result as JSON.

A separate program, because Prefect reads its settings on import.
"""

from __future__ import annotations

import asyncio
import json
import sys

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import AsyncClientContext


@task(cache_policy=NO_CACHE)
async def step(text: str) -> str:
    return text + "."


@flow(name="concurrent-runs")
async def three_steps(text: str) -> str:
    for _ in range(3):
        text = await step(text)
    return text


async def main(count: int) -> None:
    async with AsyncClientContext.get_or_create():
        runs = [three_steps(str(number)) for number in range(count)]
        results = await asyncio.gather(*runs, return_exceptions=True)
    failed = [repr(result) for result in results if isinstance(result, BaseException)]
    print(json.dumps({"failed": failed, "outputs": [str(result) for result in results]}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
