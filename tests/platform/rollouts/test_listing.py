"""The list of rollouts over all prompts."""

from typing import Any

from harness.people import new_workspace
from harness.platform import RunningPlatform, new_key
from harness.rollouts import halves, published, spread, variants


async def listed(platform: RunningPlatform, **query: Any) -> tuple[list[str], int]:
    """Keys of the prompts on a page of the list, and the total."""
    answer = await platform.http.get("/api/rollouts", params=query)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    return [rollout["key"] for rollout in page["data"]], page["total"]


async def rollout_in(platform: RunningPlatform, workspace: str, env: str, **fields: Any) -> str:
    """The key of a prompt with a rollout there."""
    prompt = await platform.create(env=env, workspace=workspace)
    await platform.publish(prompt["id"])
    await spread(platform, prompt, **(halves("v1", "v1") | fields))
    return str(prompt["key"])


async def test_a_listed_rollout_names_its_prompt(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"name": "Greeting"})
    rollout = await spread(platform, prompt, variants=variants(9000, 1000))
    answer = await platform.http.get("/api/rollouts", params={"q": prompt["key"]})
    assert answer.json()["data"] == [
        {
            **rollout,
            "workspace_id": prompt["workspace_id"],
            "name": "Greeting",
            "published_version": "v2",
        }
    ]


async def test_filters_and_pages(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "open")
    on = await rollout_in(platform, workspace, "prod")
    off = await rollout_in(platform, workspace, "prod", enabled=False)
    test = await rollout_in(platform, workspace, "test")
    await platform.create(env="prod", workspace=workspace)
    assert await listed(platform, workspace=workspace) == ([test, off, on], 3)
    assert await listed(platform, workspace=workspace, enabled="true") == ([test, on], 2)
    assert await listed(platform, workspace=workspace, enabled="false") == ([off], 1)
    assert await listed(platform, workspace=workspace, env="prod") == ([off, on], 2)
    assert await listed(platform, workspace=workspace, q=on.upper()) == ([on], 1)
    assert await listed(platform, workspace=workspace, q="%") == ([], 0)
    assert await listed(platform, workspace=workspace, limit=1, offset=1) == ([off], 3)
    refused = await platform.http.get("/api/rollouts", params={"workspace": new_key()})
    assert refused.status_code == 404
