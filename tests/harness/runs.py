"""Runs that are logged past the engine, as the playground logs its own."""

from typing import Any

from harness.platform import RunningPlatform, new_key
from promptops_platform.runs.service import ModelCall, NewRun
from promptops_providers.protocol import Usage

USAGE = Usage(100, 20, estimated=False, cached_tokens=40)


def new_run(**fields: Any) -> NewRun:
    given = {"id": new_key()[4:40], "workspace_id": "default", "source": "playground"}
    return NewRun(**{**given, "ref_key": "x", **fields})


def model_call(**fields: Any) -> ModelCall:
    given = {"provider": "mock", "model": "mock-1", "usage": USAGE, "output": "an answer"}
    return ModelCall(**{**given, **fields})


async def open_run(platform: RunningPlatform, run: NewRun) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runs.open(transaction, run)


async def record(platform: RunningPlatform, run: NewRun, call: ModelCall) -> None:
    prepared = await platform.platform.runs.prepare_call(run, call)
    async with platform.platform.database.write() as transaction:
        await platform.platform.runs.record_calls(transaction, [prepared])


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
    found: dict[str, Any] = answer.json()["data"]
    return found
