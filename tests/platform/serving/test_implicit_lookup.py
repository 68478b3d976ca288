"""Which workspaces serve clients that name none: `default`, and those that an admin marked."""

from typing import Any

import httpx
import pytest

from harness.followers import following
from harness.people import logged_in, new_api_key, new_user, new_workspace, sent
from harness.platform import RunningPlatform, new_key, next_event


async def new_team(platform: RunningPlatform) -> dict[str, Any]:
    """A workspace that an editor made, with a prompt whose key exists nowhere else."""
    async with logged_in(platform, await new_user(platform, "editor")) as editor:
        team: dict[str, Any] = sent(
            await editor.post("/api/workspaces", json={"name": new_key(), "slug": new_key()})
        )
        body = {"key": new_key(), "env": "prod", "content": "team", "workspace": team["id"]}
        return {**team, "prompt": sent(await editor.post("/api/prompts", json=body))}


async def mark(platform: RunningPlatform, workspace: str, value: bool) -> dict[str, Any]:
    body = {"implicit_lookup": value}
    marked: dict[str, Any] = sent(
        await platform.http.put(f"/api/workspaces/{workspace}", json=body)
    )
    return marked


async def snapshot_keys(client: httpx.AsyncClient, **query: str) -> set[str]:
    answer = await client.get("/api/sdk/snapshot", params={"env": "prod", **query})
    return {prompt["key"] for prompt in answer.json()["prompts"]}


@pytest.mark.parametrize("role", ["admin", "editor", "viewer", "sdk"])
async def test_an_unmarked_workspace_serves_only_those_who_name_it(
    platform: RunningPlatform, role: str
) -> None:
    team = await new_team(platform)
    key = team["prompt"]["key"]
    assert team["implicit_lookup"] is False
    async with platform.client(await new_api_key(platform, role=role)) as client:
        url = f"/api/sdk/prompts/{key}"
        assert (await client.get(url)).status_code == 404
        assert (await client.get(url, params={"full": "true"})).status_code == 404
        assert key not in await snapshot_keys(client)
        for name in (team["id"], team["slug"]):
            assert (await client.get(url, params={"workspace": name})).json()["content"] == "team"
            assert key in await snapshot_keys(client, workspace=name)
        await mark(platform, team["id"], True)
        assert (await client.get(url)).json()["content"] == "team"
        assert key in await snapshot_keys(client)
        await mark(platform, team["id"], False)
        assert (await client.get(url)).status_code == 404
        assert key not in await snapshot_keys(client)


async def test_a_key_of_the_workspace_fetches_without_naming_it(platform: RunningPlatform) -> None:
    team = await new_team(platform)
    token = await new_api_key(platform, role="sdk", workspace=team["id"])
    async with platform.client(token) as client:
        assert (await client.get(f"/api/sdk/prompts/{team['prompt']['key']}")).is_success
        assert await snapshot_keys(client) == {team["prompt"]["key"]}


async def test_watchers_hear_of_marked_workspaces_only(platform: RunningPlatform) -> None:
    team, seen = await new_team(platform), await platform.create(env="prod")
    hidden = f"/api/prompts/{team['prompt']['id']}"
    shown = f"/api/prompts/{seen['id']}"
    async with platform.watch(namespace="prod") as old, following(platform) as follower:
        await platform.http.put(hidden, json={"content": "unseen"})
        await platform.http.put(shown, json={"content": "seen"})
        assert (await next_event(old))["id"] == seen["id"]
        assert (await follower.next())["id"] == seen["id"]
        await mark(platform, team["id"], True)
        assert (await follower.next())["type"] == "resync", "it now fetches from another workspace"
        await platform.http.put(hidden, json={"content": "seen now"})
        assert (await next_event(old))["id"] == team["prompt"]["id"]
        assert (await follower.next())["id"] == team["prompt"]["id"]
        await mark(platform, team["id"], False)
        assert (await follower.next())["type"] == "resync"
        assert (await platform.http.delete(hidden)).is_success
        await platform.http.put(shown, json={"content": "seen again"})
        assert (await next_event(old))["id"] == seen["id"]
        assert (await follower.next())["id"] == seen["id"]


async def test_an_unmarked_prompt_neither_hides_nor_uncovers_another(
    platform: RunningPlatform,
) -> None:
    """The older workspace is unmarked: its prompt of the same key is not served before the other's,
    and nobody hears of it."""
    team = await new_team(platform)
    key = team["prompt"]["key"]
    marked = await new_workspace(platform)
    prompt = await platform.create(key, env="prod", content="marked", workspace=marked)
    assert (await platform.fetch(key)).json()["content"] == "marked"
    async with platform.watch(namespace="prod") as old, following(platform) as follower:
        assert (await platform.http.delete(f"/api/prompts/{team['prompt']['id']}")).is_success
        await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "changed"})
        for event in (await next_event(old), await follower.next()):
            assert (event["id"], event["type"]) == (prompt["id"], "prompt.updated")


async def test_who_fetches_without_a_workspace_is_not_waited_for(
    platform: RunningPlatform,
) -> None:
    """A publish waits for those who fetch that prompt."""
    team = await new_team(platform)
    body = {"id": team["prompt"]["id"]}
    url = "/api/prompts/publish?wait=1s"
    async with following(platform) as follower:
        await follower.report_keys(team["prompt"]["key"])
        answer = await platform.http.post(url, json=body)
    assert answer.json()["connected"] == 0


async def test_only_global_admins_mark_a_workspace(platform: RunningPlatform) -> None:
    editor = await new_user(platform, "editor")
    async with logged_in(platform, editor) as client:
        asked = {"name": new_key(), "visibility": "restricted", "implicit_lookup": True}
        refused = await client.post("/api/workspaces", json=asked)
        assert refused.status_code == 403
        assert refused.json()["error"] == "forbidden: requires admin role"
        own = sent(await client.post("/api/workspaces", json={**asked, "implicit_lookup": False}))
        assert (own["role"], own["implicit_lookup"]) == ("admin", False)
        url = f"/api/workspaces/{own['id']}"
        assert (await client.put(url, json={"implicit_lookup": True})).status_code == 403
        # A console sends back what it was given.
        assert sent(await client.put(url, json={**own, "name": "Other"}))["name"] == "Other"
        assert (await mark(platform, own["id"], True))["implicit_lookup"] is True
        assert (await client.put(url, json={"implicit_lookup": False})).status_code == 403
    bound = await new_api_key(platform, role="admin", workspace=own["id"])
    async with platform.client(bound) as client:
        assert (await client.put(url, json={"implicit_lookup": False})).status_code == 403
    page = (await platform.http.get("/api/audit?limit=20")).json()["data"]
    changed = next(entry for entry in page if entry["resource_id"] == own["id"])
    assert changed["after"] == {"implicit_lookup": True}


async def test_an_admin_may_make_a_workspace_unmarked(platform: RunningPlatform) -> None:
    body = {"name": new_key()}
    assert sent(await platform.http.post("/api/workspaces", json=body))["implicit_lookup"] is True
    body = {"name": new_key(), "implicit_lookup": False}
    assert sent(await platform.http.post("/api/workspaces", json=body))["implicit_lookup"] is False


async def test_the_default_workspace_stays_marked(platform: RunningPlatform) -> None:
    url = "/api/workspaces/default"
    refused = await platform.http.put(url, json={"implicit_lookup": False})
    assert refused.status_code == 400
    assert "implicit_lookup" in refused.json()["error"]
    default = sent(await platform.http.get(url))
    assert default["implicit_lookup"] is True
    assert sent(await platform.http.put(url, json=default)) == default
