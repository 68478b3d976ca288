"""delivery: from a publish to the last receipt of 1,000 watchers, against a bare broadcast server
that sends the same message; and the memory of 10,000 watchers to whom nothing happens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bench.figures import Figure, Result, listed, median_ratio
from bench.http_load import HOST, connections, request
from bench.open_files import allow_many_open_files
from bench.servers import (
    TOKEN,
    Server,
    broadcast_server,
    data_folder,
    environment,
    module,
    resident_mb,
    running_platform,
)

WATCHERS = 1_000
ROUNDS = 15
WARMING = 3
IDLE = 10_000
IDLE_KB = 40
PATIENCE_SECONDS = 60.0
# Enough for each to have had a heartbeat.
SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Watchers:
    """The clients' process."""

    process: asyncio.subprocess.Process

    async def report(self) -> dict[str, Any]:
        """Its next line; raises AssertionError when a connection was lost."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_SECONDS)
        report: dict[str, Any] = json.loads(line)
        assert "error" not in report, report
        return report


async def delivery() -> Result:
    allow_many_open_files()
    with data_folder() as data:
        async with (
            running_platform("serve", data) as platform,
            broadcast_server(data) as bare,
            watching(platform, WATCHERS, await watch_path(platform)) as mine,
            watching(bare, WATCHERS, "/") as theirs,
            connect(f"ws://{HOST}:{bare.port}/publish") as control,
        ):
            prompt = {"key": "greeting", "env": "prod", "content": "0"}
            prompt_id = await platform.create("/api/prompts", prompt)
            await mine.report()
            taken: tuple[list[float], list[float]] = ([], [])
            for number in range(ROUNDS + WARMING):
                message = _message(prompt_id, number)
                taken[0].append(await published(platform, prompt_id, mine))
                taken[1].append(await _broadcast(control, message, theirs))
    subject, baseline = taken[0][WARMING:], taken[1][WARMING:]
    figure = Figure("delivery", median_ratio(subject, baseline), "≤", 2)
    return Result([figure], [_raw("platform", subject), _raw("websockets", baseline)])


async def idle() -> Result:
    allow_many_open_files()
    with data_folder() as data:
        async with running_platform("serve", data) as platform:
            path = await watch_path(platform)
            before = resident_mb(platform.process.pid)
            async with watching(platform, IDLE, path):
                await asyncio.sleep(SETTLE_SECONDS)
                after = resident_mb(platform.process.pid)
    kilobytes = (after - before) * 1024 / IDLE
    figure = Figure("idle watcher", kilobytes, "≤", IDLE_KB, "KB")
    return Result([figure], [f"{before:.0f} MB, with {IDLE:,} watchers {after:.0f} MB"])


async def watch_path(platform: Server) -> str:
    """Where a client that resumes watches from now on."""
    state = (await platform.ask("GET", "/api/sdk/snapshot")).json()
    return f"/ws?namespace=prod&since={state['revision']}&epoch={state['epoch']}&client=bench"


def _message(prompt_id: str, number: int) -> str:
    """As the platform sends it."""
    fields = {
        "type": "prompt.published",
        "id": prompt_id,
        "key": "greeting",
        "env": "prod",
        "version": "v1",
        "revision": number,
    }
    return json.dumps(fields, separators=(",", ":"))


async def published(platform: Server, prompt_id: str, watchers: Watchers) -> float:
    """Seconds from a publish to its last receipt."""
    publish = request("POST", "/api/prompts/publish", token=TOKEN, body={"id": prompt_id})
    async with connections(platform.port, 1) as (connection,):
        started = time.monotonic()
        answer, report = await asyncio.gather(connection.send(publish), watchers.report())
    assert answer.status == 200, answer
    return float(report["at"]) - started


async def _broadcast(control: ClientConnection, message: str, watchers: Watchers) -> float:
    started = time.monotonic()
    _, report = await asyncio.gather(control.send(message), watchers.report())
    return float(report["at"]) - started


@asynccontextmanager
async def watching(server: Server, number: int, path: str) -> AsyncIterator[Watchers]:
    """Clients in a process of their own, once all are connected."""
    process = await asyncio.create_subprocess_exec(
        *module("bench.watchers"),
        str(server.port),
        str(number),
        path,
        env=environment({}),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        watchers = Watchers(process)
        assert await watchers.report() == {"connected": number}
        yield watchers
    finally:
        process.terminate()
        await process.wait()


def _raw(name: str, seconds: list[float]) -> str:
    milliseconds = [second * 1000 for second in seconds]
    return f"{name}: median {median(milliseconds):.1f} ms of {listed(milliseconds, 1)}"
