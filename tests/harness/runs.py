"""Runs that are logged without the engine, like the playground's."""

from typing import Any

from harness.platform import RunningPlatform, new_key
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_platform.runlog.new_run import ModelCall, NewRun
from promptops_providers.protocol import Usage

COMPLETED = RunFinished(status="ok", output="done")
USAGE = Usage(100, 20, estimated=False, cached_tokens=40)


def new_run(**fields: Any) -> NewRun:
    defaults = {"id": new_key()[4:40], "workspace_id": "default", "source": "playground"}
    return NewRun(**{**defaults, "ref_key": "x", **fields})


def model_call(**fields: Any) -> ModelCall:
    defaults = {"provider": "mock", "model": "mock-1", "usage": USAGE, "output": "an answer"}
    return ModelCall(**{**defaults, **fields})


async def open_run(platform: RunningPlatform, run: NewRun) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.open(transaction, run)


async def close_run(platform: RunningPlatform, run_id: str, end: RunFinished = COMPLETED) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.close(transaction, run_id, end)


async def run_steps(
    platform: RunningPlatform, run: NewRun, *steps: StepFinished, end: RunFinished
) -> None:
    """Log a run like one of the engine, from its start to its end."""
    log = platform.platform.runlog.log
    await open_run(platform, run)
    for step in steps:
        async with platform.platform.database.write() as transaction:
            await log.add_step(transaction, run.id, step)
    async with platform.platform.database.write() as transaction:
        await log.close(transaction, run.id, end)


async def record(platform: RunningPlatform, run: NewRun, call: ModelCall) -> None:
    prepared = await platform.platform.runlog.log.prepare_call(run, call)
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.record_calls(transaction, [prepared])


async def logged(
    platform: RunningPlatform, run: NewRun | None = None, call: ModelCall | None = None
) -> str:
    """The id of a run that has ended."""
    run = run or new_run()
    await record(platform, run, call or model_call())
    return run.id


async def detail(platform: RunningPlatform, run_id: str) -> dict[str, Any]:
    answer = await platform.http.get(f"/api/runs/{run_id}")
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()["data"]
    return run
