"""Runs that are cancelled: queued, under way, waited for, and just ending."""

import asyncio
from typing import Any

import pytest

from harness.detached_runs import STEPS, ended, stored, submit
from harness.fake_engine import FakeEngine
from harness.people import new_session, new_user
from harness.platform import RunningPlatform, running_platform, until
from harness.runs import detail, logged, new_run, open_run
from harness.workflows import save_workflow
from promptops_platform.settings import Settings


async def cancel(platform: RunningPlatform, run_id: str) -> dict[str, Any]:
    answer = await platform.http.post(f"/api/runs/{run_id}/cancel")
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()["data"]
    return run


async def test_a_run_under_way_ends_and_says_who_did_it(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 2
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await until(lambda: bool(fake.held))
    user = await new_user(controlled, "viewer")
    async with controlled.client(await new_session(controlled, user)) as client:
        answer = await client.post(f"/api/runs/{run_id}/cancel")
    assert answer.status_code == 202, answer.text
    run = await ended(controlled, run_id)
    assert (run["state"], run["status"]) == ("cancelled", "error")
    assert run["cancelled_by"] == user["username"]
    assert user["username"] in run["error"]
    assert fake.executed[run_id, 3] == 0
    assert await stored(controlled, "run_plans"), "it can be retried"


async def test_a_queued_run_has_ended_with_the_answer(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    await fake.kill()
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    run = await cancel(controlled, run_id)
    assert (run["state"], run["cancelled_by"]) == ("cancelled", "admin")
    await fake.start()
    other = await submit(controlled, await save_workflow(controlled, STEPS))
    await ended(controlled, other)
    assert {request.run_id for request in fake.requests} == {other}


async def test_a_run_that_waits_for_a_place_is_cancelled_without_taking_one(
    settings: Settings, fake: FakeEngine
) -> None:
    few = settings.model_copy(update={"engine_concurrency": 1})
    fake.hold = lambda _run, _place: True
    async with running_platform(few) as platform:
        workflow = await save_workflow(platform, STEPS)
        first = await submit(platform, workflow)
        await until(lambda: bool(fake.held))
        second, third = await submit(platform, workflow), await submit(platform, workflow)
        assert (await cancel(platform, second))["state"] == "cancelled"
        fake.release()
        assert (await ended(platform, first))["state"] == "completed"
        assert (await ended(platform, third))["state"] == "completed"


async def test_a_run_that_somebody_waits_for_is_answered_as_cancelled(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 2
    workflow = await save_workflow(controlled, STEPS)
    url = f"/api/workflows/{workflow['id']}/run"
    waiting = asyncio.create_task(controlled.http.post(url, json={}))
    await until(lambda: bool(fake.held))
    ((run_id, _),) = fake.held
    await cancel(controlled, run_id)
    answer = await waiting
    assert answer.status_code == 502
    assert answer.json()["error"] == "the run was cancelled by admin"
    assert (await detail(controlled, run_id))["state"] == "cancelled"


async def test_a_run_whose_engine_is_gone_is_not_begun_again(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 2
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await until(lambda: bool(fake.held))
    await fake.kill()
    assert (await cancel(controlled, run_id))["status"] in ("running", "error")
    assert (await ended(controlled, run_id))["state"] == "cancelled"


async def test_cancel_and_completion_at_once_end_a_run_once(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow = await save_workflow(controlled, STEPS)
    before = (await controlled.http.get("/api/runs/stats")).json()["total"]
    run_ids = []
    for _ in range(12):
        run_id = await submit(controlled, workflow)
        run_ids.append(run_id)
        await until(lambda run_id=run_id: fake.executed[run_id, 3] > 0)  # type: ignore[misc]
        answer = await controlled.http.post(f"/api/runs/{run_id}/cancel")
        assert answer.status_code in (202, 409)
    for run_id in run_ids:
        run = await ended(controlled, run_id)
        assert run["state"] in ("completed", "cancelled")
        assert bool(run["cancelled_by"]) == (run["state"] == "cancelled")
    after = (await controlled.http.get("/api/runs/stats")).json()["total"]
    assert after - before == len(run_ids)


async def test_a_request_outlives_the_platform_that_took_it(
    settings: Settings, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 2
    async with running_platform(settings) as platform:
        run_id = await submit(platform, await save_workflow(platform, STEPS))
        await until(lambda: bool(fake.held))
        async with platform.platform.database.write() as transaction:
            under_way = platform.platform.runlog.under_way
            assert await under_way.request_cancel(transaction, run_id, "ada") == "ada"
    fake.release()
    async with running_platform(settings) as platform:
        run = await ended(platform, run_id)
    assert (run["state"], run["cancelled_by"]) == ("cancelled", "ada")
    assert fake.executed[run_id, 3] == 0


@pytest.mark.parametrize("action", ["cancel", "retry"])
async def test_what_is_no_run_of_a_definition_is_refused(
    controlled: RunningPlatform, action: str
) -> None:
    run_id = await logged(controlled)
    answer = await controlled.http.post(f"/api/runs/{run_id}/{action}")
    assert answer.status_code == 409
    assert "call of the playground" in answer.json()["error"]
    assert (await controlled.http.post(f"/api/runs/none/{action}")).status_code == 404


async def test_a_run_that_has_ended_can_not_be_cancelled(controlled: RunningPlatform) -> None:
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await ended(controlled, run_id)
    answer = await controlled.http.post(f"/api/runs/{run_id}/cancel")
    assert answer.status_code == 409
    assert "has ended as completed" in answer.json()["error"]


async def test_a_run_that_nobody_executes_is_marked(controlled: RunningPlatform) -> None:
    new = new_run(source="workflow")
    await open_run(controlled, new)
    assert (await cancel(controlled, new.id))["state"] == "running"
