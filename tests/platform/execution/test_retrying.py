"""Retries: what is executed again, what is not, and what can't be retried."""

import asyncio
from typing import Any

from harness.detached_runs import STEPS, ended, stored, submit
from harness.fake_engine import FakeEngine
from harness.platform import RunningPlatform, running_platform, until
from harness.runs import detail
from harness.workflows import run_workflow, save_workflow
from promptops_platform.settings import Settings

GRAPH: list[dict[str, Any]] = [
    {"name": "one", "type": "render", "template": "1", "needs": []},
    {"name": "two", "type": "render", "template": "2", "needs": []},
    {"name": "three", "type": "render", "template": "3", "needs": ["two"]},
    {"name": "four", "type": "render", "template": "4", "needs": ["three", "one"]},
]


async def failed(
    platform: RunningPlatform,
    fake: FakeEngine,
    place: int,
    steps: list[dict[str, Any]] = STEPS,
    **body: Any,
) -> tuple[str, dict[str, Any]]:
    """A run that failed at that step, and its workflow."""
    fake.failing = {place}
    workflow = await save_workflow(platform, steps)
    run_id = await submit(platform, workflow, **body)
    assert (await ended(platform, run_id))["state"] == "failed"
    fake.failing = set()
    return run_id, workflow


async def retry(platform: RunningPlatform, run_id: str, **body: Any) -> dict[str, Any]:
    answer = await platform.http.post(f"/api/runs/{run_id}/retry", json=body)
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()["data"]
    assert answer.headers["location"] == f"/api/runs/{run['id']}"
    assert (run["state"], run["retry_of"]) == ("queued", run_id)
    return await ended(platform, run["id"])


async def refused(platform: RunningPlatform, run_id: str, words: str, **body: Any) -> None:
    answer = await platform.http.post(f"/api/runs/{run_id}/retry", json=body)
    assert answer.status_code == 409, answer.text
    assert words in answer.json()["error"]


def executed(fake: FakeEngine, run_id: str) -> list[int]:
    return sorted(place for run, place in fake.executed if run == run_id)


async def test_a_retry_goes_on_at_what_failed(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, _ = await failed(controlled, fake, 3)
    run = await retry(controlled, run_id)
    assert (run["state"], run["output"]) == ("completed", "one two three ")
    assert executed(fake, run["id"]) == [3]
    assert [step["reused"] for step in run["steps"]] == [True, True, False]
    assert [step["step"] for step in run["steps"]] == [1, 2, 3]
    assert await stored(controlled, "run_checkpoints") == []


async def test_a_run_is_retried_once_and_then_its_retry(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, _ = await failed(controlled, fake, 3)
    fake.failing = {3}
    first = await retry(controlled, run_id)
    assert first["state"] == "failed"
    await refused(controlled, run_id, f"has been retried as run '{first['id']}'")
    fake.failing = set()
    second = await retry(controlled, first["id"])
    assert second["state"] == "completed"
    assert executed(fake, second["id"]) == [3]
    await refused(controlled, second["id"], "is completed")


async def test_of_two_retries_at_once_one_is_refused(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, _ = await failed(controlled, fake, 2)
    url = f"/api/runs/{run_id}/retry"
    answers = await asyncio.gather(*(controlled.http.post(url) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    (accepted,) = [answer for answer in answers if answer.status_code == 202]
    new_id = accepted.json()["data"]["id"]
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["retried_by"] == new_id
    assert (await ended(controlled, new_id))["state"] == "completed"


async def test_from_a_step_it_and_what_depends_on_it_is_executed_again(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, _ = await failed(controlled, fake, 4, GRAPH)
    run = await retry(controlled, run_id, **{"from": "two"})
    assert executed(fake, run["id"]) == [2, 3, 4]
    run_id, _ = await failed(controlled, fake, 3)
    assert executed(fake, (await retry(controlled, run_id, **{"from": 2}))["id"]) == [2, 3]


async def test_a_step_that_is_not_there_is_refused(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, _ = await failed(controlled, fake, 3)
    for step in ("nothing", "0", "4"):
        answer = await controlled.http.post(f"/api/runs/{run_id}/retry", json={"from": step})
        assert answer.status_code == 400, step
        assert "one, two, three" in answer.json()["error"]
    for value in (True, 1.5, ["one"], {}):
        answer = await controlled.http.post(f"/api/runs/{run_id}/retry", json={"from": value})
        assert answer.status_code == 400, value
        error = answer.json()["error"]
        assert error == f"from: must be the name or the number of a step (got {value!r})"


async def test_a_step_of_an_inner_run_is_refused_with_the_step_that_runs_it(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    inner = await save_workflow(controlled, STEPS)
    calling: dict[str, Any] = {"type": "workflow", "key": inner["key"]}
    run_id, _ = await failed(controlled, fake, 3, [{"name": "a", **calling}, calling, STEPS[0]])
    steps = {step["name"]: step for step in (await detail(controlled, run_id))["steps"]}
    assert [steps[name]["outer"] for name in ("a", "a / inner", " / inner")] == [None, 1, 2]
    for step, outer in (("a / inner", "'a'"), (steps["a / inner"]["step"], "'a'"), (5, "2")):
        answer = await controlled.http.post(f"/api/runs/{run_id}/retry", json={"from": step})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"].endswith(f"use the step that runs it: {outer}")
    run = await retry(controlled, run_id, **{"from": "a"})
    assert executed(fake, run["id"]) == [1, 2, 3]


async def test_another_version_takes_what_is_equal_in_it(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, workflow = await failed(controlled, fake, 4, GRAPH)
    edited = [dict(step) for step in reversed(GRAPH)]
    edited[1]["template"] = "other"
    url = f"/api/workflows/{workflow['id']}"
    assert (await controlled.http.put(url, json={"steps": edited})).status_code == 200
    published = await controlled.http.post(f"{url}/publish")
    assert published.status_code == 200, published.text
    version = published.json()["data"]["version"]
    run = await retry(controlled, run_id, version=version)
    assert run["version"] == str(version)
    # In its order: four, three, two, one.
    assert executed(fake, run["id"]) == [1, 2]
    answer = await controlled.http.post(f"/api/runs/{run['id']}/retry", json={"version": 99})
    assert answer.status_code == 409


async def test_a_key_of_the_callers_is_not_kept_and_has_to_be_given_again(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, _ = await failed(controlled, fake, 2, api_key="sk-of-mine")
    assert fake.requests[-1].api_key == "sk-of-mine"
    async with controlled.platform.database.read() as transaction:
        plan = await controlled.platform.execution.stored.readable_plan(transaction, run_id)
    assert plan is not None
    assert (plan.request.api_key, plan.lacks_credentials) == (None, True)
    answer = await controlled.http.post(f"/api/runs/{run_id}/retry")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("api_key: ")
    run = await retry(controlled, run_id, api_key="sk-again")
    assert run["state"] == "completed"
    assert fake.requests[-1].api_key == "sk-again"


async def test_an_address_that_is_not_allowed_is_refused(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    ask = {"name": "ask", "type": "model", "provider": "openai"}
    run_id, _ = await failed(controlled, fake, 1, [ask])
    answer = await controlled.http.post(
        f"/api/runs/{run_id}/retry", json={"base_url": "http://169.254.169.254/"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith("base_url: ")


async def test_a_run_that_somebody_waited_for_is_retried(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.failing = {2}
    workflow = await save_workflow(controlled, STEPS)
    answer = await run_workflow(controlled, workflow, api_key="sk-of-mine")
    assert answer.status_code == 502
    fake.failing = set()
    run = await retry(controlled, answer.json()["run_id"], api_key="sk-of-mine")
    assert (run["state"], executed(fake, run["id"])) == ("completed", [2, 3])
    # Whoever follows the retry sees its text as it comes.
    assert [request.stream for request in fake.requests] == [False, True]


async def test_a_run_that_its_engine_left_is_retried(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 2
    workflow = await save_workflow(controlled, STEPS)
    waiting = asyncio.create_task(run_workflow(controlled, workflow))
    await until(lambda: bool(fake.held))
    await fake.kill()
    answer = await waiting
    assert answer.status_code == 502
    run_id = answer.json()["run_id"]
    assert (await detail(controlled, run_id))["state"] == "crashed"
    fake.release()
    await fake.start()
    run = await retry(controlled, run_id)
    assert (run["state"], executed(fake, run["id"])) == ("completed", [2, 3])


async def test_a_run_whose_definition_is_gone_is_refused(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    run_id, workflow = await failed(controlled, fake, 2)
    await controlled.http.delete(f"/api/workflows/{workflow['id']}")
    await refused(controlled, run_id, "no longer exists")


async def test_a_run_under_way_is_refused(controlled: RunningPlatform, fake: FakeEngine) -> None:
    fake.hold = lambda _run, _place: True
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await until(lambda: bool(fake.held))
    await refused(controlled, run_id, "only a run that has ended without being completed")
    fake.release()


async def test_without_kept_texts_nothing_is_kept_for_a_retry(
    settings: Settings, fake: FakeEngine
) -> None:
    bare = settings.model_copy(update={"run_texts": "none"})
    async with running_platform(bare) as platform:
        run_id, _ = await failed(platform, fake, 2)
        assert await stored(platform, "run_plans") == await stored(platform, "run_checkpoints")
        assert await stored(platform, "run_plans") == []
        await refused(platform, run_id, "PROMPTOPS_RUN_TEXTS")


async def test_what_is_kept_goes_after_the_days_of_the_setting(
    settings: Settings, fake: FakeEngine
) -> None:
    short = settings.model_copy(update={"retry_days": 0.0})
    async with running_platform(short) as platform:
        run_id, _ = await failed(platform, fake, 2)
        await platform.platform.execution.retention.prune()
        assert await stored(platform, "run_plans") == []
        assert await stored(platform, "run_checkpoints") == []
        await refused(platform, run_id, "PROMPTOPS_RETRY_DAYS")


async def test_what_is_kept_goes_with_its_workspace(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    answer = await controlled.http.post("/api/workspaces", json={"name": "Passing"})
    workspace = answer.json()["data"]["id"]
    fake.failing = {2}
    workflow = await save_workflow(controlled, STEPS, workspace=workspace)
    await ended(controlled, await submit(controlled, workflow))
    assert len(await stored(controlled, "run_plans")) == 1
    gone = await controlled.http.delete(f"/api/workspaces/{workspace}?force=true")
    assert gone.status_code == 200, gone.text
    assert await stored(controlled, "run_plans") == []
    assert await stored(controlled, "run_checkpoints") == []
