"""What existing clients take for the same: HEAD and GET, and a path with a slash at its end; and
what they send that is large or gone."""

import asyncio
from typing import Any

import pytest

from harness.connections import new_connection
from harness.people import sent
from harness.platform import RunningPlatform, new_key
from promptops_platform.app import openapi

MEGABYTE = 1_048_576


async def examples(platform: RunningPlatform) -> dict[str, str]:
    """Something for each parameter of a path."""
    http = platform.http
    prompt = await platform.create(env="prod", content="Hi")
    await platform.publish(prompt["id"])
    workflow = sent(await http.post("/api/workflows", json={"key": new_key(), "steps": []}))
    agent = sent(await http.post("/api/agents", json={"key": new_key(), "prompt": "Hi"}))
    for url in (f"/api/workflows/{workflow['id']}", f"/api/agents/{agent['id']}"):
        assert (await http.post(f"{url}/publish", json={})).status_code == 200
    body = {"content": "Hi", "provider": "mock"}
    assert (await http.post("/api/playground/run", json=body)).status_code == 200
    run = (await http.get("/api/runs?limit=1")).json()["data"][0]
    return {
        "prompt_id": prompt["id"],
        "key": prompt["key"],
        "workflow_id": workflow["id"],
        "agent_id": agent["id"],
        "connection_id": (await new_connection(platform))["id"],
        "run_id": run["id"],
        "workspace": "default",
        "workspace_id": "default",
    }


async def readable_paths(platform: RunningPlatform) -> list[str]:
    """All paths that take a GET and have an example."""
    values = await examples(platform)
    paths = []
    for template, operations in openapi()["paths"].items():
        path = template
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        if "get" in operations and "{" not in path:
            paths.append(path)
    assert len(paths) > 25, paths
    return [*paths, "/docs", "/openapi.json", f"/api/sdk/prompts/{values['key']}?env=prod"]


async def test_head_works_on_every_get_route(module_platform: RunningPlatform) -> None:
    for path in await readable_paths(module_platform):
        got, head = await module_platform.http.get(path), await module_platform.http.head(path)
        assert head.status_code == got.status_code, (path, head.text)
        assert head.content == b"", path
        for name in ("content-type", "etag"):
            assert head.headers.get(name) == got.headers.get(name), path
        assert head.headers["x-request-id"], path


async def test_head_needs_the_rights_of_get(platform: RunningPlatform) -> None:
    async with platform.client(None) as nobody:
        assert (await nobody.head("/api/prompts")).status_code == 401
    assert (await platform.http.head("/api/prompts/nowhere")).status_code == 404
    assert (await platform.http.head("/api/playground/run")).status_code == 405


async def test_a_slash_at_the_end_makes_no_difference(module_platform: RunningPlatform) -> None:
    for path in await readable_paths(module_platform):
        name, question, query = path.partition("?")
        slashed = f"{name}/{question}{query}"
        for method in ("GET", "HEAD"):
            answer = await module_platform.http.request(method, slashed)
            assert answer.status_code == 200, (method, slashed, answer.text)
    made = await module_platform.http.post("/api/prompts/", json={"key": new_key()})
    prompt = sent(made)
    url = f"/api/prompts/{prompt['id']}/"
    assert sent(await module_platform.http.put(url, json={"content": "x"}))["content"] == "x"
    assert (await module_platform.http.delete(url)).json() == {"ok": True}


async def test_what_is_gone_is_a_404(platform: RunningPlatform) -> None:
    http = platform.http
    workspace = sent(await http.post("/api/workspaces", json={"name": new_key()}))
    user = {"username": new_key(), "password": "correct horse"}
    member = sent(await http.post("/api/users", json=user))
    members = f"/api/workspaces/{workspace['id']}/members/{member['id']}"
    await http.put(members, json={"role": "viewer"})
    values = await examples(platform)
    key = sent(await http.post("/api/keys", json={"name": "k"}))
    for url in (
        f"/api/prompts/{values['prompt_id']}",
        f"/api/workflows/{values['workflow_id']}",
        f"/api/agents/{values['agent_id']}",
        f"/api/providers/{values['connection_id']}",
        f"/api/keys/{key['id']}",
        members,
        f"/api/users/{member['id']}",
        f"/api/workspaces/{workspace['id']}",
    ):
        first, second = await http.delete(url), await http.delete(url)
        assert (first.status_code, second.status_code) == (200, 404), (url, first.text)
        assert second.json()["code"] == "not_found"


@pytest.mark.parametrize("letter", ["x", "ä", "😀", '"', "\n"])
async def test_a_megabyte_of_content_is_taken(platform: RunningPlatform, letter: str) -> None:
    content = letter * (MEGABYTE // len(letter.encode()))
    prompt = await platform.create(env="prod", content=content)
    assert await platform.publish(prompt["id"])
    fetched = await platform.fetch(prompt["key"])
    assert fetched.json()["content"] == content
    diff = await platform.http.get(f"/api/prompts/{prompt['id']}/diff?from=v1&to=draft")
    assert diff.json()["data"]["same"] is True
    assert (await platform.http.delete(f"/api/prompts/{prompt['id']}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("agents", {"prompt": "x" * MEGABYTE}),
        ("workflows", {"steps": [{"type": "render", "template": "x" * MEGABYTE}]}),
        ("prompts", {"messages": [{"role": "user", "content": "x" * MEGABYTE}]}),
    ],
)
async def test_so_is_it_in_agents_workflows_and_chats(
    platform: RunningPlatform, path: str, fields: dict[str, Any]
) -> None:
    made = await platform.http.post(f"/api/{path}", json={"key": new_key(), **fields})
    assert made.status_code == 200, made.text[:300]
    assert (await platform.http.delete(f"/api/{path}/{sent(made)['id']}")).status_code == 200


async def test_a_workspace_without_a_slug_takes_the_next_free_one(
    platform: RunningPlatform,
) -> None:
    name = f"Team {new_key()}"
    slug = name.lower().replace(" ", "-")

    async def make() -> str:
        answer = await platform.http.post("/api/workspaces", json={"name": name})
        return str(sent(answer)["slug"])

    assert [await make() for _ in range(3)] == [slug, f"{slug}-2", f"{slug}-3"]
    at_once = await asyncio.gather(*(make() for _ in range(4)))
    assert sorted(at_once) == [f"{slug}-{number}" for number in range(4, 8)]
    taken = await platform.http.post("/api/workspaces", json={"name": name, "slug": slug})
    assert taken.status_code == 409
    default = sent(await platform.http.post("/api/workspaces", json={"name": "Default"}))
    assert default["slug"].startswith("default-")
    long = "x" * 100
    slugs = [
        sent(await platform.http.post("/api/workspaces", json={"name": long}))["slug"]
        for _ in range(2)
    ]
    assert slugs == ["x" * 64, "x" * 62 + "-2"]


async def test_the_average_latency_is_an_integer(platform: RunningPlatform) -> None:
    body = {"content": "Hi", "provider": "mock", "model": "mock-slow-3ms"}
    assert (await platform.http.post("/api/playground/run", json=body)).status_code == 200
    stats = (await platform.http.get("/api/runs/stats")).json()
    assert isinstance(stats.get("data", stats)["avg_latency_ms"], int)
