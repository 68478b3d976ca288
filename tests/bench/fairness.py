"""fairness: edits while 32 playground clients and 60 failing logins ask at once, against edits on
the idle platform."""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain, count
from typing import Any

from bench.figures import Figure, Result, listed, percentile
from bench.http_load import Connection, connections, request
from bench.servers import TOKEN, Server, data_folder, environment, module, running_platform

ROUNDS = 3
EDITS = 100
PAUSE_SECONDS = 0.02
PLAYGROUND_CLIENTS = 32
FAILING_LOGINS = 60
MOST_TIMES_IDLE = 5
VIEWERS = ("ada", "bob", "eve", "joe")
PASSWORD = "correct horse battery"


async def measure() -> Result:
    with data_folder() as data:
        async with running_platform("serve", data) as platform:
            return await _edits(platform)


async def _edits(platform: Server) -> Result:
    prompt = await platform.create("/api/prompts", {"key": "edited", "content": "x" * 2000})
    tokens = [await _viewer(platform, name) for name in VIEWERS]
    idle: list[list[float]] = []
    loaded: list[list[float]] = []
    asked: Counter[str] = Counter()
    await _round(platform, prompt)
    for _ in range(ROUNDS):
        idle.append(await _round(platform, prompt))
        async with _flood(platform, tokens, asked):
            loaded.append(await _round(platform, prompt))
    before, under = (percentile([*chain(*rounds)], 0.95) for rounds in (idle, loaded))
    figure = Figure("fairness, p95 of an edit", under / before, "≤", MOST_TIMES_IDLE)
    answers = ", ".join(f"{name} {number}" for name, number in sorted(asked.items()))
    return Result([figure], [_raw("idle", idle), _raw("flooded", loaded), f"the flood: {answers}"])


async def _viewer(platform: Server, name: str) -> str:
    """The token of a new account that may use the playground."""
    account = {"username": name, "password": PASSWORD}
    answer = await platform.ask("POST", "/api/users", {**account, "role": "viewer"})
    assert answer.status == 200, answer
    return str((await platform.ask("POST", "/api/login", account)).json()["token"])


async def _round(platform: Server, prompt: str) -> list[float]:
    """Milliseconds of edits, one after the other."""
    times = []
    async with connections(platform.port, 1) as (connection,):
        for number in range(EDITS):
            edit = request(
                "PUT", f"/api/prompts/{prompt}", token=TOKEN, body={"content": f"{number}" * 999}
            )
            started = time.perf_counter()
            answer = await connection.send(edit)
            times.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200, answer
            await asyncio.sleep(PAUSE_SECONDS)
    return times


@asynccontextmanager
async def _flood(platform: Server, tokens: list[str], asked: Counter[str]) -> AsyncIterator[None]:
    """A process of its own floods the platform until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *module("bench.fairness"),
        env=environment({}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"port": platform.port, "tokens": tokens}).encode() + b"\n")
    await process.stdout.readline()
    try:
        yield
    finally:
        process.stdin.close()
        asked.update(json.loads(await process.stdout.read()))
        await process.wait()


async def _flood_until_told(port: int, tokens: list[str]) -> Counter[str]:
    """Answers by kind and status; ends with the end of the input."""
    asked: Counter[str] = Counter()
    names = count()
    async with connections(port, PLAYGROUND_CLIENTS + FAILING_LOGINS) as made:
        tasks = [
            asyncio.create_task(_ask(connection, tokens[number % len(tokens)], asked))
            for number, connection in enumerate(made[:PLAYGROUND_CLIENTS])
        ]
        tasks += [
            asyncio.create_task(_fail(connection, names, asked))
            for connection in made[PLAYGROUND_CLIENTS:]
        ]
        await asyncio.sleep(1)
        print(flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
    return asked


async def _ask(connection: Connection, token: str, asked: Counter[str]) -> None:
    sent = request("POST", "/api/playground/run", token=token, body={"content": "Say hello."})
    while True:
        answer = await connection.send(sent)
        asked[f"playground {answer.status}"] += 1


async def _fail(connection: Connection, names: Any, asked: Counter[str]) -> None:
    while True:
        body = {"username": f"nobody-{next(names)}", "password": "wrong"}
        answer = await connection.send(request("POST", "/api/login", token="", body=body))
        asked[f"login {answer.status}"] += 1


def _raw(name: str, rounds: list[list[float]]) -> str:
    p95s = [percentile(times, 0.95) for times in rounds]
    p50s = [percentile(times, 0.5) for times in rounds]
    return f"{name}: p95 by round {listed(p95s, 1)} ms, p50 {listed(p50s, 1)} ms"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_flood_until_told(**json.loads(sys.stdin.readline())))))
