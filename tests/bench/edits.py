"""edits: 200 saved edits by 20 callers, against what no such server can avoid.

That is as many PUTs of a plain FastAPI route that stores them in memory, and as many commits of one
row to a SQLite file with the full sync that the platform has.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import Figure, Result, listed, median_ratio
from bench.http_load import each_once, request
from bench.servers import TOKEN, Server, data_folder, fastapi_route, running_platform

EDITS = 200
CALLERS = 20
ROUNDS = 3
# Measured: 8 to 12 on two busy cores. An edit writes seven rows, and sends an event.
MOST = 14
SUBJECTS = ("prompt", "draft", "agent", "workflow")
SYNCED = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")


class Edited(NamedTuple):
    """What is edited: its path, and the body of the edit with a number."""

    path: str
    body: Callable[[str], dict[str, Any]]


async def measure() -> Result:
    with data_folder() as data:
        async with running_platform("serve", data) as platform, fastapi_route(data) as baseline:
            subjects = await _subjects(platform)
            times: dict[str, list[float]] = {name: [] for name in (*SUBJECTS, "baseline")}
            for number in range(ROUNDS):
                for name, subject in subjects.items():
                    times[name].append(await _seconds(platform.port, subject, number))
                plain = await _seconds(baseline.port, _in_memory(), number)
                times["baseline"].append(plain + _commits(data / f"commits-{number}.db"))
    figures = [
        Figure(f"edits: {name}", median_ratio(times[name], times["baseline"]), "≤", MOST)
        for name in SUBJECTS
    ]
    return Result(figures, [f"{name}: {listed(values, 2)} s" for name, values in times.items()])


async def _subjects(platform: Server) -> dict[str, Edited]:
    """A prompt before and one after its first publish, and a definition of each kind."""
    prompt = await platform.create("/api/prompts", {"key": "served", "content": "x"})
    draft = await platform.create("/api/prompts", {"key": "draft", "content": "x"})
    published = await platform.ask("POST", "/api/prompts/publish", {"id": draft})
    assert published.status == 200, published
    agent = await platform.create("/api/agents", {"key": "agent", "prompt": "x"})
    workflow = await platform.create("/api/workflows", {"key": "workflow"})
    return {
        "prompt": Edited(f"/api/prompts/{prompt}", _content),
        "draft": Edited(f"/api/prompts/{draft}", _content),
        "agent": Edited(f"/api/agents/{agent}", lambda text: {"prompt": text}),
        "workflow": Edited(
            f"/api/workflows/{workflow}",
            lambda text: {"steps": [{"name": "a", "type": "render", "template": text}]},
        ),
    }


def _content(text: str) -> dict[str, Any]:
    return {"content": text}


def _in_memory() -> Edited:
    fields = {"key": "k", "version": "v1", "env": "prod", "model": ""}
    return Edited("/api/sdk/prompts/k", lambda text: {**fields, "content": text})


async def _seconds(port: int, subject: Edited, number: int) -> float:
    """Of all edits, each with a text of its own."""
    edits = [
        request("PUT", subject.path, token=TOKEN, body=subject.body(f"{number} {edit}" * 20))
        for edit in range(EDITS)
    ]
    started = time.perf_counter()
    await each_once(port, edits, number=CALLERS)
    return time.perf_counter() - started


def _commits(path: Path) -> float:
    """Seconds of as many commits, one after the other as SQLite has them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in SYNCED:
            connection.execute(pragma)
        connection.execute("CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT)")
        started = time.perf_counter()
        for number in range(EDITS):
            connection.execute("INSERT INTO texts VALUES (?, ?)", (number, "x" * 200))
        return time.perf_counter() - started
