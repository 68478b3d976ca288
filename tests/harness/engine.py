"""A real run engine process for tests, and a shared one for tests that don't change it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.platform import RunningPlatform
from harness.prefect_server import PrefectServer, end, spawn
from harness.processes import WAIT_SECONDS, pauses
from promptops_flows.definitions.workflow import parse_steps, parse_workflow
from promptops_flows.processes.children import engine_spec
from promptops_flows.protocol.engine_client import (
    Began,
    Checkpoint,
    EngineClient,
    EngineUnavailable,
    RunFinished,
    RunRequest,
    StartedRun,
    StepCheckpoint,
    StepFinished,
    StepStarted,
)
from promptops_flows.protocol.engine_protocol import RunEvent
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.plans import AgentPlan

# The time that an engine, which loads Prefect, may need to start on a busy machine.
READY_SECONDS = 120.0

THREE_STEPS: list[dict[str, Any]] = [
    {"name": "greet", "type": "render", "template": "Hello {{name}}"},
    {"name": "call", "type": "model", "provider": "mock"},
    {"name": "loud", "type": "transform", "op": "upper"},
]


@dataclass(frozen=True)
class EngineProcess:
    """`log` is the file with its output, `engine_id` stays the same across restarts."""

    engine_id: str
    socket: Path
    process: subprocess.Popen[bytes]
    log: Path

    def client(self) -> EngineClient:
        return EngineClient(self.socket)

    def exit_code(self, within: float = WAIT_SECONDS) -> int:
        return self.process.wait(timeout=within)


def use_engine(platform: RunningPlatform, engine: EngineProcess) -> None:
    """Let the platform use this engine from now on."""
    platform.platform.execution.engine._socket = engine.socket


@contextmanager
def running_engine(
    api_url: str,
    auth: str,
    *,
    concurrency: int = 16,
    drain_seconds: float = 20,
    environment: Mapping[str, str] | None = None,
    predecessor: EngineProcess | None = None,
) -> Iterator[EngineProcess]:
    """With a `predecessor` it uses that engine's identity and socket."""
    engine_id = predecessor.engine_id if predecessor else uuid.uuid4().hex[-12:]
    # Not pytest's folder: the path of a Unix socket may have at most about 100 bytes.
    folder = predecessor.log.parent if predecessor else Path(tempfile.mkdtemp(prefix="engine-"))
    socket, log = folder / "run" / "engine.sock", folder / "engine.log"
    spec = engine_spec(
        socket=socket,
        instance=engine_id,
        data=folder,
        prefect_api_url=api_url,
        prefect_auth=auth,
        concurrency=concurrency,
        drain_seconds=drain_seconds,
        development=True,
    )
    process = spawn(replace(spec, env={**spec.env, **(environment or {})}), log)
    try:
        yield EngineProcess(engine_id, socket, process, log)
    finally:
        end(process)
        if predecessor is None:
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def engine(prefect_server: PrefectServer) -> Iterator[EngineProcess]:
    # Tools may call the tests' own servers.
    development = {"PROMPTOPS_ENV": "development"}
    with running_engine(
        prefect_server.api_url, prefect_server.auth, environment=development
    ) as process:
        yield process


@dataclass(frozen=True)
class RunRecord:
    flow_run_id: str
    events: list[RunEvent]

    @property
    def result(self) -> RunFinished:
        last = self.events[-1]
        assert isinstance(last, RunFinished)
        return last

    @property
    def steps(self) -> list[StepFinished]:
        return [event for event in self.events if isinstance(event, StepFinished)]

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        return tuple(event.checkpoint for event in self.events if isinstance(event, StepCheckpoint))


def request(steps: list[Any] | None = None, **fields: Any) -> RunRequest:
    defaults = {
        "run_id": "0f3c5d7e9a3f2a1c",
        "workspace": "default",
        "key": "greeting",
        "name": "Greeting",
        "version": "7",
        "variables": {"name": "Ada"},
    }
    connections = [connection.provider for connection in fields.get("connections", ())]
    plan = parse_steps(THREE_STEPS if steps is None else steps, connections)
    return RunRequest(plan=plan, **{**defaults, **fields})


def workflow(steps: list[Any], *, variables: Any = None, **fields: Any) -> RunRequest:
    """A run of a workflow with these fields."""
    plan = parse_workflow({"steps": steps, **fields})
    return replace(request([]), plan=plan, variables=variables or {"name": "Ada"})


def agent(**fields: Any) -> RunRequest:
    """A run of an agent with the provider `openai`, whose plan has these fields."""
    defaults = {
        "prompt": ({"role": "user", "content": "Hi {{name}}"},),
        "is_chat": False,
        "models": (ModelChoice("openai", "m"),),
    }
    return replace(request([]), plan=AgentPlan(**{**defaults, **fields}), source="agent")


@asynccontextmanager
async def prepared(client: EngineClient, asked: RunRequest) -> AsyncIterator[StartedRun]:
    """A prepared run that isn't started; its connection is closed at the end."""
    run = await client.start(asked)
    try:
        yield run
    finally:
        await run.close()


@asynccontextmanager
async def under_way(
    client: EngineClient, asked: RunRequest
) -> AsyncIterator[tuple[str, AsyncIterator[RunEvent]]]:
    """The run's id in Prefect and its further events, once its first step has begun."""
    async with going(client, asked) as (run, events):
        yield run.flow_run_id, events


@asynccontextmanager
async def going(
    client: EngineClient, asked: RunRequest
) -> AsyncIterator[tuple[StartedRun, AsyncIterator[RunEvent]]]:
    """The run and its further events, once its first step has begun."""
    async with prepared(client, asked) as run:
        await run.go()
        events = run.events()
        assert isinstance(await anext(events), Began)
        assert isinstance(await anext(events), StepStarted)
        yield run, events


async def run_to_end(client: EngineClient, asked: RunRequest) -> RunRecord:
    async with prepared(client, asked) as run:
        await run.go()
        return RunRecord(run.flow_run_id, [event async for event in run.events()])


async def unavailable(client: EngineClient, words: str = "", within: float = READY_SECONDS) -> str:
    """The reason why no run can be accepted, once it contains `words`."""
    pause = pauses()
    async with asyncio.timeout(within):
        while True:
            try:
                await client.wait_ready(0)
            except EngineUnavailable as error:
                if words in error.reason:
                    return error.reason
            await asyncio.sleep(next(pause))
