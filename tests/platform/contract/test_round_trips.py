"""Existing consoles send back in a PUT the whole object that a GET gave them, with one field
changed, and do so again without reading it anew."""

from typing import Any

import pytest

from harness.connections import new_connection
from harness.people import sent
from harness.platform import RunningPlatform, new_key

Object = dict[str, Any]
STEPS = [{"name": "loud", "type": "transform", "op": "upper"}]


async def a_prompt(platform: RunningPlatform) -> tuple[str, str, list[Any]]:
    prompt = await platform.create(env="prod", content="one", config={"temperature": 0.2})
    await platform.publish(prompt["id"])
    return f"/api/prompts/{prompt['id']}", "content", ["two", "three"]


async def a_chat(platform: RunningPlatform) -> tuple[str, str, list[Any]]:
    prompt = await platform.create(messages=[{"role": "user", "content": "Hi {{who}}"}])
    return f"/api/prompts/{prompt['id']}", "name", ["two", "three"]


async def a_rollout(platform: RunningPlatform) -> tuple[str, str, list[Any]]:
    prompt = await platform.create(env="prod", content="one")
    await platform.publish(prompt["id"])
    url = f"/api/prompts/{prompt['id']}/rollout"
    fields = {"enabled": True, "variant_a": "v1", "variant_b": "v1", "weight_a": 90}
    sent(await platform.http.put(url, json=fields))
    return url, "weight_a", [50, 10]


async def an_agent(platform: RunningPlatform) -> tuple[str, str, list[Any]]:
    body = {"key": new_key(), "prompt": "one"}
    agent = sent(await platform.http.post("/api/agents", json=body))
    return f"/api/agents/{agent['id']}", "prompt", ["two", "three"]


async def an_agent_with_a_prompt_of_the_registry(
    platform: RunningPlatform,
) -> tuple[str, str, list[Any]]:
    prompt = await platform.create(env="prod")
    body = {"key": new_key(), "prompt_ref": {"key": prompt["key"], "env": "prod"}}
    agent = sent(await platform.http.post("/api/agents", json=body))
    return f"/api/agents/{agent['id']}", "prompt", ["two", "three"]


async def a_workflow(platform: RunningPlatform) -> tuple[str, str, list[Any]]:
    workflow = sent(
        await platform.http.post("/api/workflows", json={"key": new_key(), "steps": STEPS})
    )
    return f"/api/workflows/{workflow['id']}", "steps", [STEPS * 2, []]


async def a_connection(platform: RunningPlatform) -> tuple[str, str, list[Any]]:
    connection = await new_connection(platform)
    return f"/api/providers/{connection['id']}", "model", ["two", "three"]


async def a_workspace(platform: RunningPlatform) -> tuple[str, str, list[Any]]:
    workspace = sent(await platform.http.post("/api/workspaces", json={"name": new_key()}))
    return f"/api/workspaces/{workspace['id']}", "name", ["two", "three"]


@pytest.mark.parametrize(
    "make",
    [
        a_prompt,
        a_chat,
        a_rollout,
        an_agent,
        an_agent_with_a_prompt_of_the_registry,
        a_workflow,
        a_connection,
        a_workspace,
    ],
)
async def test_what_get_gave_is_taken_twice(platform: RunningPlatform, make: Any) -> None:
    url, field, values = await make(platform)
    read = sent(await platform.http.get(url))
    unchanged = await platform.http.put(url, json=read)
    assert unchanged.status_code == 200, unchanged.text
    for value in values:
        saved = await platform.http.put(url, json={**read, field: value})
        assert saved.status_code == 200, saved.text
        assert sent(saved)[field] == value
        assert sent(await platform.http.get(url))[field] == value


async def test_a_user_is_taken_twice(platform: RunningPlatform) -> None:
    body = {"username": new_key(), "password": "correct horse", "role": "viewer"}
    user = sent(await platform.http.post("/api/users", json=body))
    users = (await platform.http.get("/api/users")).json()["data"]
    (read,) = [row for row in users if row["id"] == user["id"]]
    for role in ("editor", "viewer"):
        saved = await platform.http.put(f"/api/users/{user['id']}", json={**read, "role": role})
        assert sent(saved)["role"] == role


async def test_the_list_of_environments_is_taken_twice(platform: RunningPlatform) -> None:
    workspace = sent(await platform.http.post("/api/workspaces", json={"name": new_key()}))
    url = f"/api/workspaces/{workspace['id']}/environments"
    read = (await platform.http.get(url)).json()["data"]
    for _ in range(2):
        saved = await platform.http.put(url, json={"environments": read})
        assert saved.status_code == 200, saved.text


async def test_the_second_save_is_what_a_publish_publishes(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="one")
    url = f"/api/prompts/{prompt['id']}"
    read = sent(await platform.http.get(url))
    for content in ("two", "three"):
        sent(await platform.http.put(url, json={**read, "content": content}))
    assert (await platform.publish(prompt["id"]))["content"] == "three"
    assert (await platform.fetch(prompt["key"])).json()["content"] == "three"
