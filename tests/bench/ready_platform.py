"""A platform that takes runs, and how long a used one takes to start."""

import asyncio
import time
from pathlib import Path
from typing import Any

from bench.servers import Server, platform
from bench.start_up import FETCH

CHECK_SECONDS = 0.1


async def ready(server: Server) -> None:
    """Once engine and Prefect take runs."""
    await server.answers("/health", 200)
    while (await server.ask("GET", "/ready")).json()["degraded"]:
        await asyncio.sleep(CHECK_SECONDS)


async def start_seconds(data: Path) -> float:
    """Until the first fetch is answered; what is left of the start is waited for besides."""
    started = time.perf_counter()
    with platform("up", data) as server:
        await server.answers(FETCH, 200)
        seconds = time.perf_counter() - started
        await ready(server)
        return seconds


async def data_at(server: Server, path: str) -> Any:
    """What is read there."""
    return (await server.ask("GET", path)).json()["data"]
