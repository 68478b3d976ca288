"""Who runs an agent or a workflow: workflows by their steps, and whoever started it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.people import new_api_key, new_workspace, sent
from harness.platform import RunningPlatform, new_key
from harness.runs import logged, model_call, new_run

MOCK = {"provider": "mock", "prompt": "Help"}


async def _usage(platform: RunningPlatform, path: str) -> dict[str, Any]:
    body: dict[str, Any] = sent(await platform.http.get(f"/api/{path}/usage"))
    return body


async def _workflow(platform: RunningPlatform) -> dict[str, Any]:
    steps = [{"name": "s", "type": "transform", "op": "trim"}]
    body = {"key": new_key(), "steps": steps}
    created: dict[str, Any] = sent(await platform.http.post("/api/workflows", json=body))
    return created


async def test_nobody_runs_what_is_new(platform: RunningPlatform) -> None:
    workflow = await _workflow(platform)
    agent = sent(await platform.http.post("/api/agents", json={"key": new_key(), **MOCK}))
    for path in (f"workflows/{workflow['id']}", f"agents/{agent['id']}"):
        assert await _usage(platform, path) == {"workflows": [], "callers": []}


async def _run(platform: RunningPlatform, key: str, user: str, **fields: Any) -> None:
    """A run in the log, of a workflow in the default workspace unless `fields` say otherwise."""
    await logged(
        platform, new_run(source="workflow", ref_key=key, user=user, **fields), model_call()
    )


async def test_whoever_started_a_workflow_is_named_with_the_number_of_runs(
    platform: RunningPlatform,
) -> None:
    workflow, other = await _workflow(platform), await _workflow(platform)
    for user in ("mailer", "ada", "mailer"):
        await _run(platform, workflow["key"], user)
    assert (await _usage(platform, f"workflows/{workflow['id']}"))["callers"] == [
        {"name": "mailer", "runs": 2},
        {"name": "ada", "runs": 1},
    ]
    assert (await _usage(platform, f"workflows/{other['id']}"))["callers"] == []


async def test_older_runs_and_those_of_other_things_with_the_key_do_not_count(
    platform: RunningPlatform,
) -> None:
    workflow = await _workflow(platform)
    elsewhere = await new_workspace(platform)
    long_ago = datetime.now(UTC) - timedelta(days=7, minutes=1)
    await _run(platform, workflow["key"], "old", started_at=long_ago)
    await _run(platform, workflow["key"], "elsewhere", workspace_id=elsewhere)
    agent = new_run(source="agent", ref_key=workflow["key"], user="agent")
    await logged(platform, agent, model_call())
    assert (await _usage(platform, f"workflows/{workflow['id']}"))["callers"] == []


async def test_a_key_limited_to_environments_does_not_see_callers(
    platform: RunningPlatform,
) -> None:
    workflow = await _workflow(platform)
    await _run(platform, workflow["key"], "ada")
    async with platform.client(await new_api_key(platform, environments=["dev"])) as http:
        usage = sent(await http.get(f"/api/workflows/{workflow['id']}/usage"))
    assert usage["callers"] == []
