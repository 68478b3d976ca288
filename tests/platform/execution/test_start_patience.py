"""How long a run waits for engine and Prefect: as long as their start makes progress."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.engine import READY_SECONDS, EngineProcess
from harness.platform import TOKEN, RunningPlatform, new_key, running_platform, until
from promptops_platform.execution.start_patience import LONGEST_START_SECONDS, StartPatience
from promptops_platform.settings import Settings


class Work:
    """A start under way, or one that is stuck."""

    def __init__(self, *, makes_progress: bool) -> None:
        self.looks = 0
        self.is_finished = False
        self._makes_progress = makes_progress

    def seconds(self) -> float:
        self.looks += 1
        return float(self.looks) if self._makes_progress else 0.0

    def finished(self) -> None:
        self.is_finished = True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def longest_wait(wait_seconds: float, *, makes_progress: bool) -> float:
    clock = Clock()
    patience = StartPatience(wait_seconds, Work(makes_progress=makes_progress), clock)
    while patience.left():
        clock.now += 0.5
    return clock.now - 1000.0


def test_a_start_is_waited_for_while_it_makes_progress_but_not_for_ever() -> None:
    assert longest_wait(30, makes_progress=False) == 30
    assert longest_wait(30, makes_progress=True) == LONGEST_START_SECONDS == 120
    assert longest_wait(300, makes_progress=True) == 300
    assert longest_wait(300, makes_progress=False) == 300


def test_a_start_that_gets_stuck_is_waited_for_from_its_last_progress_on() -> None:
    clock, work = Clock(), Work(makes_progress=True)
    patience = StartPatience(30, work, clock)
    clock.now += 25
    assert patience.left() == 30
    work._makes_progress = False
    clock.now += 25
    assert patience.left() == 5
    clock.now += 5
    assert patience.left() == 0


async def save_workflow(platform: RunningPlatform) -> dict[str, Any]:
    steps = [{"type": "render", "template": "done"}]
    answer = await platform.http.post("/api/workflows", json={"key": new_key(), "steps": steps})
    workflow: dict[str, Any] = answer.json()["data"]
    return workflow


@pytest.mark.parametrize("makes_progress", [True, False])
async def test_a_first_run_waits_for_the_start(
    data_folder: Path, engine: EngineProcess, makes_progress: bool
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    settings = Settings(data=data_folder, token=TOKEN, engine_wait_seconds=0.4)
    async with running_platform(settings) as platform:
        work = Work(makes_progress=makes_progress)
        platform.platform.execution.executor._engine_start._work = work
        url = f"/api/workflows/{(await save_workflow(platform))['id']}/run"
        running = asyncio.create_task(platform.http.post(url, json={}))
        if makes_progress:
            # Each look is followed by a wait: these take longer than the setting allows.
            await until(lambda: work.looks > 8, 30)
            assert not running.done()
            platform.platform.settings.engine_socket.symlink_to(engine.socket)
        answer = await running
    assert answer.status_code == (200 if makes_progress else 503), answer.text
    assert work.is_finished == makes_progress
