"""trigger_latency: from a publish to the first step of the run that it triggers; and what 500
triggers add to a start."""

import asyncio
import time
from datetime import datetime
from statistics import median

from bench.figures import Figure, Result, listed, percentile
from bench.ready_platform import CHECK_SECONDS, data_at, ready, start_seconds
from bench.servers import Server, data_folder, platform
from bench.workflows import THREE_STEPS

PUBLISHES = 15
TARGET_SECONDS = 2.5
TRIGGERS = 500
STARTS = 3
START_TARGET = 1.3


async def measure() -> Result:
    with data_folder() as data, data_folder() as bare:
        with platform("up", data) as server:
            seconds = await _latencies(server)
            await _many_triggers(server)
        with platform("up", bare) as server:
            await ready(server)
            await server.create("/api/prompts", {"key": "greeting", "env": "prod"})
        with_triggers, without = [], []
        for _ in range(STARTS):
            with_triggers.append(await start_seconds(data))
            without.append(await start_seconds(bare))
    figures = [
        Figure("publish to first step, p95", percentile(seconds, 0.95), "≤", TARGET_SECONDS, "s"),
        Figure(
            f"start with {TRIGGERS} triggers, to none",
            median(with_triggers) / median(without),
            "≤",
            START_TARGET,
        ),
    ]
    raw = [
        f"publish to first step: p50 {median(seconds):.2f} s of {listed(seconds, 2)}",
        f"start with {TRIGGERS} triggers: {listed(with_triggers, 2)} s",
        f"start without: {listed(without, 2)} s",
    ]
    return Result(figures, raw)


async def _latencies(server: Server) -> list[float]:
    await ready(server)
    await server.create("/api/workflows", {"key": "announce", "steps": THREE_STEPS})
    run = {"workflow": "announce", "variables": {"name": "{{event.key}}"}}
    body = {"key": "published", "on": {"event": "prompt.published"}, "run": run}
    trigger = await server.create("/api/triggers", body)
    while not (await data_at(server, f"/api/triggers/{trigger}"))["deployment_url"]:
        await asyncio.sleep(CHECK_SECONDS)
    prompt = await server.create("/api/prompts", {"key": "greeting", "env": "prod"})
    seconds = []
    for number in range(PUBLISHES):
        published_at = time.time()
        answer = await server.ask("POST", "/api/prompts/publish", {"id": prompt})
        assert answer.status == 200, answer
        seconds.append(await _first_step(server, trigger, number + 1) - published_at)
    return seconds


async def _first_step(server: Server, trigger: str, number: int) -> float:
    """When the first step of the newest run began, once so many have ended."""
    while True:
        rows = await data_at(server, f"/api/triggers/{trigger}/deliveries?limit=1")
        answer = (await server.ask("GET", f"/api/triggers/{trigger}/deliveries?limit=1")).json()
        if answer["total"] == number and rows[0]["run_id"]:
            run = await data_at(server, f"/api/runs/{rows[0]['run_id']}")
            if run["state"] == "completed":
                began = datetime.fromisoformat(run["steps"][0]["start"])
                return began.timestamp()
        await asyncio.sleep(CHECK_SECONDS)


async def _many_triggers(server: Server) -> None:
    for number in range(TRIGGERS):
        run = {"workflow": "announce"}
        on = {"event": "prompt.published", "key": f"no-prompt-{number}"}
        await server.create("/api/triggers", {"key": f"trigger-{number}", "on": on, "run": run})
