"""Runs that nobody waits for, on an engine that the test controls."""

import asyncio
from typing import Any

from harness.detached_runs import STEPS, ended, stored, submit
from harness.fake_engine import FakeEngine
from harness.platform import RunningPlatform, running_platform, until, until_found
from harness.runs import detail
from harness.workflows import save_workflow
from promptops_platform.settings import Settings


async def test_a_run_goes_on_by_itself(controlled: RunningPlatform, fake: FakeEngine) -> None:
    workflow = await save_workflow(controlled, STEPS)
    fake.hold = lambda _run, place: place == 2
    run_id = await submit(controlled, workflow)
    await until(lambda: bool(fake.held))

    async def first_step() -> list[Any]:
        return (await detail(controlled, run_id))["steps"]  # type: ignore[no-any-return]

    assert [step["name"] for step in await until_found(first_step)] == ["one"]
    going = await detail(controlled, run_id)
    assert (going["state"], going["status"], going["is_detached"]) == ("running", "running", True)
    assert len(await stored(controlled, "run_plans")) == 1
    (checkpoint,) = await stored(controlled, "run_checkpoints")
    assert "one" not in checkpoint.sealed
    fake.release()
    run = await ended(controlled, run_id)
    assert (run["state"], run["output"]) == ("completed", "one two three ")
    assert [step["name"] for step in run["steps"]] == ["one", "two", "three"]
    assert run["flow_run_id"].startswith("flow-")
    assert (
        await stored(controlled, "run_plans") == await stored(controlled, "run_checkpoints") == []
    )


async def test_a_run_whose_engine_was_killed_goes_on_at_its_last_completed_step(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow = await save_workflow(controlled, STEPS)
    fake.hold = lambda _run, place: place == 2
    run_id = await submit(controlled, workflow)
    await until(lambda: bool(fake.held))
    first = await detail(controlled, run_id)
    await fake.kill()
    fake.release()
    await fake.start()
    run = await ended(controlled, run_id)
    assert (run["state"], run["attempt"]) == ("completed", 2)
    assert run["output"] == "one two three "
    assert run["flow_run_id"] != first["flow_run_id"]
    assert [step["name"] for step in run["steps"]] == ["one", "two", "three"]
    assert [fake.executed[run_id, place] for place in (1, 2, 3)] == [1, 2, 1]


async def test_a_run_is_taken_over_three_times_at_most(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow = await save_workflow(controlled, STEPS)
    fake.hold = lambda _run, place: place == 2
    run_id = await submit(controlled, workflow)
    for _ in range(4):
        await until(lambda: bool(fake.held))
        await fake.kill()
        await fake.start()
    run = await ended(controlled, run_id)
    assert run["state"] == "crashed"
    assert "4 times during this run" in run["error"]
    assert fake.executed[run_id, 1] == 1
    assert fake.executed[run_id, 2] == 4


async def test_a_stopped_platform_goes_on_at_its_next_start(
    settings: Settings, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 2
    async with running_platform(settings) as platform:
        workflow = await save_workflow(platform, STEPS)
        run_id = await submit(platform, workflow)
        await until(lambda: bool(fake.held))
    fake.release()
    async with running_platform(settings) as platform:
        run = await ended(platform, run_id)
    assert (run["state"], run["attempt"]) == ("completed", 1)
    assert run["output"] == "one two three "
    assert fake.executed[run_id, 1] == 1


async def test_runs_beyond_the_places_wait_in_the_log(settings: Settings, fake: FakeEngine) -> None:
    few = settings.model_copy(update={"engine_concurrency": 2, "queued_runs": 3})
    fake.hold = lambda _run, _place: True
    async with running_platform(few) as platform:
        workflow = await save_workflow(platform, STEPS)
        run_ids = [await submit(platform, workflow) for _ in range(2)]
        await until(lambda: len(fake.held) == 2)
        run_ids += [await submit(platform, workflow) for _ in range(3)]
        url = f"/api/workflows/{workflow['id']}/run"
        answer = await platform.http.post(url, json={"wait": False})
        assert answer.status_code == 429
        assert "PROMPTOPS_QUEUED_RUNS" in answer.json()["error"]
        assert answer.headers["retry-after"]
        states = [(await detail(platform, run_id))["state"] for run_id in run_ids]
        assert states[2:] == ["queued"] * 3
        fake.release()
        runs = await asyncio.gather(*(ended(platform, run_id) for run_id in run_ids))
        assert {run["state"] for run in runs} == {"completed"}
        assert set(fake.executed.values()) == {1}


async def test_a_run_waits_for_an_engine_that_is_not_there(
    settings: Settings, controlled: RunningPlatform, fake: FakeEngine
) -> None:
    await fake.kill()
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await asyncio.sleep(settings.engine_wait_seconds * 2)
    assert (await detail(controlled, run_id))["state"] == "queued"
    await fake.start()
    assert (await ended(controlled, run_id))["state"] == "completed"


async def test_a_run_that_failed_keeps_what_its_retry_needs(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.failing = {2}
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    run = await ended(controlled, run_id)
    assert (run["state"], run["error"]) == ("failed", "step 2 (two): it failed")
    assert [row.run_id for row in await stored(controlled, "run_plans")] == [run_id]
    assert [row.position for row in await stored(controlled, "run_checkpoints")] == [1]
