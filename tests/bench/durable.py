"""durable: what plan and checkpoints add to a run of three steps, and how soon `wait: false`
returns.

The run is taken through one engine by two platforms in this process, in turn: one stores plans and
checkpoints, the other one is kept from it. Sealing and writing one checkpoint is measured beside.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pydantic import SecretStr

from bench.figures import Figure, Result, listed
from bench.http_load import connections, request
from bench.servers import TOKEN, Server, data_folder
from bench.servers import running_platform as server_process
from bench.workflows import THREE_STEPS, run_times
from harness.platform import RunningPlatform, running_platform
from promptops_flows.protocol.engine_client import Checkpoint
from promptops_flows.steps.context import StepOutput
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.tables import RunCheckpointRow
from promptops_platform.ids import new_id
from promptops_platform.runlog.new_run import NewRun
from promptops_platform.settings import Settings

ROUNDS = 6
RUNS = 8
TARGET = 1.15
DETACHED_TARGET = 3.0
CHECKPOINTS = 40


@dataclass
class Times:
    """Milliseconds."""

    storing: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    prompts: list[float] = field(default_factory=list)
    detached: list[float] = field(default_factory=list)


async def measure() -> Result:
    times = Times()
    with data_folder() as data, data_folder() as one, data_folder() as two:
        async with server_process("up", data) as server:
            await _ready(server)
            await _detached(server, times)
            settings = [Settings(data=folder, token=SecretStr(TOKEN)) for folder in (one, two)]
            async with running_platform(settings[0]) as a, running_platform(settings[1]) as b:
                for platform in (a, b):
                    platform.platform.execution.engine._socket = data / "engine.sock"
                _store_nothing(b)
                await _runs(a, b, times)
                price = await _checkpoint_price(a)
    figures = [
        Figure("run, to one without plan", median(times.storing) / median(times.bare), "≤", TARGET),
        Figure(
            "wait: false, to creating a prompt",
            median(times.detached) / median(times.prompts),
            "≤",
            DETACHED_TARGET,
        ),
    ]
    raw = [
        f"{name}: p50 {median(values):,.1f} ms of {listed(values)}"
        for name, values in (
            ("run", times.storing),
            ("run without plan", times.bare),
            ("wait: false", times.detached),
            ("create a prompt", times.prompts),
        )
    ]
    return Result(figures, [*raw, f"a checkpoint, sealed and committed: {price:,.2f} ms"])


async def _detached(server: Server, times: Times) -> None:
    path = f"/api/workflows/{await _workflow(server)}/run"
    body = {"wait": False, "variables": {"name": "Ada"}}
    run = request("POST", path, token=TOKEN, body=body)
    async with connections(server.port, 1) as (connection,):
        for number in range(ROUNDS * RUNS):
            prompt = {"key": f"prompt-{number}", "content": "Hello {{name}}"}
            create = request("POST", "/api/prompts", token=TOKEN, body=prompt)
            for sent, kept in ((create, times.prompts), (run, times.detached)):
                started = time.perf_counter()
                answer = await connection.send(sent)
                kept.append((time.perf_counter() - started) * 1000)
                assert answer.status in (200, 202), answer


async def _ready(server: Server) -> None:
    """Once engine and Prefect take runs."""
    while (await server.ask("GET", "/ready")).json()["degraded"]:
        await asyncio.sleep(0.1)


async def _workflow(server: Server) -> str:
    return await server.create("/api/workflows", {"key": "detached", "steps": THREE_STEPS})


async def _runs(a: RunningPlatform, b: RunningPlatform, times: Times) -> None:
    asked = [await _run(platform) for platform in (a, b)]
    for _ in range(ROUNDS):
        async with connections(a.port, 1) as (connection,):
            times.storing += await run_times(connection, asked[0], RUNS)
        async with connections(b.port, 1) as (connection,):
            times.bare += await run_times(connection, asked[1], RUNS)


async def _run(platform: RunningPlatform) -> bytes:
    body = {"key": "greeting", "steps": THREE_STEPS}
    async with platform.client(TOKEN) as client:
        answer = await client.post("/api/workflows", json=body)
    path = f"/api/workflows/{answer.json()['data']['id']}/run"
    return request("POST", path, token=TOKEN, body={"variables": {"name": "Ada"}})


def _store_nothing(platform: RunningPlatform) -> None:
    """As it was before there were checkpoints."""
    stored: Any = platform.platform.execution.stored

    async def sealed(_plan: StoredPlan) -> str:
        return ""

    async def add(
        _transaction: Transaction,
        _run_id: str,
        _sealed: str,
        _checkpoints: Sequence[RunCheckpointRow] = (),
    ) -> None:
        return None

    async def end(_transaction: Transaction, _run_id: str, *, completed: bool) -> None:
        assert completed

    stored.sealed, stored.add, stored.end = sealed, add, end


async def _checkpoint_price(platform: RunningPlatform) -> float:
    """Milliseconds."""
    rooms, new = platform.platform, NewRun(new_id(), "default", "workflow", "priced")
    async with rooms.database.write() as transaction:
        await rooms.runlog.log.open(transaction, new)
    started = time.perf_counter()
    for index in range(1, CHECKPOINTS + 1):
        checkpoint = Checkpoint(index, "call", "model", StepOutput("x" * 2000))
        rows = await rooms.execution.stored.sealed_checkpoints(new.id, [checkpoint])
        async with rooms.database.write(background=True) as transaction:
            await rooms.execution.stored.add_checkpoints(transaction, rows)
    return (time.perf_counter() - started) * 1000 / CHECKPOINTS
