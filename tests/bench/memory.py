"""memory: the processes after 10,000 prompts of 2 KB were created and fetched."""

import time

from bench.figures import Figure, Result
from bench.http_load import each_once, request
from bench.servers import TOKEN, Server, data_folder, resident_mb, running_platform
from bench.workflows import THREE_STEPS, run_request

PROMPTS = 10_000
BYTES = 2048
TARGET_MB = 160
CONNECTIONS = 16


async def measure() -> Result:
    raw = []
    with data_folder() as data:
        async with running_platform("up", data) as platform:
            raw.append(f"platform before: {resident_mb(platform.process.pid):.0f} MB")
            raw.append(await _create(platform))
            await _fetch(platform)
            loaded = resident_mb(platform.process.pid)
            await run_request(platform, "greeting", THREE_STEPS)
            raw.append(_others("after a run", platform))
        async with running_platform("up", data) as platform:
            await _fetch(platform)
            restarted = resident_mb(platform.process.pid)
            await run_request(platform, "greeting-again", THREE_STEPS)
            raw.append(_others("after a restart and a run", platform))
    figures = [
        Figure("memory", loaded, "≤", TARGET_MB, "MB"),
        Figure("memory after a restart", restarted, "≤", TARGET_MB, "MB"),
    ]
    return Result(figures, raw)


async def _create(platform: Server) -> str:
    creations = [
        request("POST", "/api/prompts", token=TOKEN, body=_prompt(n)) for n in range(PROMPTS)
    ]
    started = time.perf_counter()
    await each_once(platform.port, creations, number=CONNECTIONS)
    return f"created {PROMPTS / (time.perf_counter() - started):,.0f} prompts/s"


async def _fetch(platform: Server) -> None:
    fetches = [request("GET", f"/api/sdk/prompts/key-{n}", token=TOKEN) for n in range(PROMPTS)]
    await each_once(platform.port, fetches, number=CONNECTIONS)


def _prompt(number: int) -> dict[str, str]:
    content = f"{number} You are a careful assistant. Answer {{{{question}}}}.\n" * 50
    return {"key": f"key-{number}", "env": "prod", "content": content[:BYTES]}


def _others(when: str, platform: Server) -> str:
    sizes = {"platform": platform.process.pid, **platform.children()}
    megabytes = {name: resident_mb(pid) for name, pid in sizes.items()}
    parts = ", ".join(f"{name} {size:.0f}" for name, size in megabytes.items())
    return f"{when}: {parts}, together {sum(megabytes.values()):.0f} MB"
