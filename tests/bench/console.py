"""console_list: the list of 10,000 prompts in Chromium, opened, searched, sorted and scrolled;
console_row: from a publish to the changed row in an open console, against a bare `/ws` event."""

import asyncio
import json
import os
import random
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bench.figures import Figure, Result, listed, median_ratio, percentile
from bench.http_load import HOST
from bench.servers import BIN, TOKEN, Server, data_folder, environment, running_platform
from bench.stores import filled_platform

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "web/bench/console.mjs"
BUILT = ROOT / "platform/promptops_platform/console/dist/index.html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATH = os.pathsep.join([os.environ.get("PATH", ""), str(BIN)])
PROMPTS = 10_000
ROUNDS = 7
LONGEST_TASK_MS = 50
PUBLISHES = 60
WARMING = 5
PATIENCE_SECONDS = 120.0
# Publishes of people: the console is at rest before each.
PAUSE_SECONDS = (0.4, 0.7)
KEY = "greeting"
ACTS = ("open", "type", "sort", "scroll")


def missing() -> str | None:
    """Why it can't be measured here, if it can't."""
    if _browser() is None:
        return "there is no Chromium (Debian: apt-get install chromium)"
    if shutil.which("node", path=PATH) is None:
        return "there is no Node"
    if not BUILT.exists() or not (ROOT / "web/node_modules/@playwright").exists():
        return "the console is not built: make bench does that"
    return None


@dataclass(frozen=True)
class Console:
    """The process that drives a browser."""

    process: asyncio.subprocess.Process

    async def line(self) -> dict[str, Any]:
        """Its next line; raises AssertionError when it has ended."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_SECONDS)
        assert line, "the browser has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


async def measure_list() -> Result:
    async with (
        filled_platform("sqlite", prompts=PROMPTS) as platform,
        _console(platform, "list", str(ROUNDS + 1)) as console,
    ):
        # The first round fills the caches of the browser.
        rounds = [await console.line() for _ in range(ROUNDS + 1)][1:]
    shown, answer = [row["shown"] for row in rounds], [row["answer"] for row in rounds]
    longest = {act: [row["tasks"][act]["cpu"] for row in rounds] for act in ACTS}
    figures = [
        Figure(f"longest task, {act}", max(longest[act]), "≤", LONGEST_TASK_MS, "ms")
        for act in ACTS
    ]
    figures.append(Figure("list shown", median_ratio(shown, answer), "≤", 1.5))
    raw = [f"{act}: ms of the processor {listed(longest[act], 1)}" for act in ACTS]
    raw += [
        f"{act}: ms of the clock {listed([row['tasks'][act]['wall'] for row in rounds], 1)}"
        for act in ACTS
    ]
    raw += [f"{name}: ms {listed([row[name] for row in rounds], 1)}" for name in _TIMES]
    return Result(figures, raw)


_TIMES = ("answer", "asked", "answered", "shown")


async def measure_row() -> Result:
    with data_folder() as data:
        async with running_platform("serve", data) as platform:
            body = {"key": KEY, "env": "prod", "content": "0"}
            prompt_id = await platform.create("/api/prompts", body)
            await platform.ask("POST", "/api/prompts/publish", {"id": prompt_id})
            address = f"ws://{HOST}:{platform.port}/ws?namespace=prod&client=bench"
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with (
                connect(address, additional_headers=headers) as socket,
                _console(platform, "row", KEY) as console,
            ):
                assert await console.line() == {"ready": True}
                taken = [
                    await _publish(platform, prompt_id, number, socket, console)
                    for number in range(PUBLISHES + WARMING)
                ]
    events = [event * 1000 for event, _ in taken[WARMING:]]
    rows = [row * 1000 for _, row in taken[WARMING:]]
    late = [percentile(values, 0.95) for values in (events, rows)]
    figure = Figure("changed row, p95", late[1] / late[0], "≤", 3)
    return Result([figure], [_spread("/ws event", events), _spread("changed row", rows)])


async def _publish(
    platform: Server, prompt_id: str, number: int, socket: ClientConnection, console: Console
) -> tuple[float, float]:
    """Seconds from the request to the event and to the row."""
    # Without another text there is no new version.
    saved = await platform.ask("PUT", f"/api/prompts/{prompt_id}", {"content": f"{number} again"})
    assert saved.status == 200, saved
    await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
    started = time.time()
    publish = platform.ask("POST", "/api/prompts/publish", {"id": prompt_id})
    answer, event, line = await asyncio.gather(publish, _event(socket), console.line())
    assert answer.status == 200, answer
    return event - started, float(line["at"]) - started


async def _event(socket: ClientConnection) -> float:
    """When the next publish was heard of."""
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS))
        if message.get("type") == "prompt.published":
            return time.time()


@asynccontextmanager
async def _console(platform: Server, mode: str, argument: str) -> AsyncIterator[Console]:
    url = f"http://{HOST}:{platform.port}"
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), mode, url, TOKEN, argument),
        env=environment({"PATH": PATH, "CHROMIUM": _browser() or ""}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        yield Console(process)
        # It closes the browser by itself.
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _browser() -> str | None:
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def _spread(name: str, milliseconds: list[float]) -> str:
    return (
        f"{name}: median {median(milliseconds):.1f} ms, p95 {percentile(milliseconds, 0.95):.1f} ms"
    )
