"""What an API key that is limited to environments sees and changes, by every route that reads."""

import json
from typing import Any

import httpx
import pytest

from harness.agents import running
from harness.callers import new_api_key
from harness.limited_keys import CONVERSATION, MARK, OPEN, SECRET, World, ask, world
from harness.limited_reads import QUERIES, TELLING
from harness.people import sent
from harness.platform import new_key, next_event
from promptops_platform.app import openapi

__all__ = ["running", "world"]

# Path, and the status of what is of another environment; what is of the key's own is a 200 where
# the path names something.
READS = {
    "/health": 200,
    "/ready": 200,
    "/metrics": 403,
    "/api/me": 200,
    "/api/session": 200,
    "/api/users": 403,
    "/api/keys": 200,
    "/api/workspaces": 200,
    "/api/workspaces/{workspace_id}": 200,
    "/api/workspaces/{workspace_id}/members": 200,
    "/api/workspaces/{workspace_id}/environments": 200,
    "/api/prompts": 200,
    "/api/prompts/{prompt_id}": 403,
    "/api/prompts/{prompt_id}/versions": 403,
    "/api/prompts/{prompt_id}/history": 403,
    "/api/prompts/{prompt_id}/diff": 403,
    "/api/prompts/{prompt_id}/rollout": 403,
    "/api/prompts/{prompt_id}/usage": 403,
    "/api/prompt-keys": 200,
    "/api/prompt-keys/facets": 200,
    "/api/prompt-keys/programs": 200,
    "/api/prompt-keys/calls": 403,
    "/api/rollouts": 200,
    "/api/sample": 200,
    "/api/sdk/prompts/{key}": 403,
    "/api/sdk/snapshot": 403,
    "/api/clients": 200,
    "/api/workflows": 200,
    "/api/workflows/{workflow_id}": 403,
    "/api/workflows/{workflow_id}/versions": 403,
    "/api/workflows/{workflow_id}/versions/{version}": 403,
    "/api/workflows/{workflow_id}/history": 403,
    "/api/workflows/{workflow_id}/diff": 403,
    "/api/agents": 200,
    "/api/agents/{agent_id}": 403,
    "/api/agents/{agent_id}/versions": 403,
    "/api/agents/{agent_id}/versions/{version}": 403,
    "/api/agents/{agent_id}/history": 403,
    "/api/agents/{agent_id}/diff": 403,
    "/api/workflows/{workflow_id}/usage": 403,
    "/api/agents/{agent_id}/usage": 403,
    "/api/agents/{agent_id}/conversations": 403,
    "/api/agents/{agent_id}/conversations/{conversation_id}": 403,
    "/api/schedules": 200,
    "/api/schedules/times": 200,
    "/api/schedules/{schedule_id}": 403,
    "/api/change-requests": 200,
    "/api/change-requests/{request_id}": 403,
    "/api/providers": 200,
    "/api/providers/{connection_id}": 200,
    "/api/triggers": 403,
    "/api/triggers/{trigger_id}": 403,
    "/api/triggers/{trigger_id}/deliveries": 403,
    "/api/playground/providers": 200,
    "/api/runs": 200,
    "/api/runs/points": 200,
    "/api/runs/stats": 403,
    "/api/runs/{run_id}": 404,
    "/api/runs/{run_id}/events": 404,
    "/api/approvals": 200,
    "/api/approvals/{approval_id}": 404,
    # Whoever has the link reads it.
    "/api/approval-links/{token}": 200,
    "/api/prices": 200,
    "/api/system": 403,
    "/api/system/findings": 403,
    "/api/workers": 403,
    "/api/audit": 403,
    "/api/audit/export": 403,
}


def test_the_table_knows_every_route_that_reads() -> None:
    assert set(READS) == {path for path, item in openapi()["paths"].items() if "get" in item}


@pytest.mark.parametrize("path", READS)
async def test_no_route_tells_of_another_environment(world: World, path: str) -> None:
    async with world.platform.watch(namespace=SECRET, app=MARK):
        answer = await world.client.get(world.path(path, SECRET))
        assert answer.status_code == READS[path], answer.text
        secrets = [MARK, *world.runs[SECRET]]
        secrets += [world.things[SECRET][name] for name in ("prompt_id", "agent_id", "workflow_id")]
        for query in QUERIES if "{" not in path else ():
            answer = await world.client.get(path, params=query)
            leaked = [secret for secret in secrets if secret in answer.text]
            assert not leaked or secret_is_the_question(answer, leaked), query
        everybodys = await world.platform.http.get(world.path(path, SECRET))
        if path in TELLING:
            assert any(secret in everybodys.text for secret in secrets), "the test sees leaks"
        if "{" in path and "{trigger_id}" not in path:
            own = await world.client.get(world.path(path, OPEN))
            # No rollout was set, which is a 200 as well.
            assert own.status_code == 200, own.text


def secret_is_the_question(answer: httpx.Response, leaked: list[str]) -> bool:
    """Whether an error repeats what was asked for."""
    return answer.status_code >= 400 and leaked == [MARK]


async def test_the_lists_hold_what_is_of_the_own_environment(world: World) -> None:
    for name in ("prompt", "agent", "workflow"):
        rows = sent(await world.client.get(f"/api/{name}s"))
        ids = {row["id"] for row in rows}
        assert world.things[OPEN][f"{name}_id"] in ids
        assert world.things[SECRET][f"{name}_id"] not in ids


async def test_runs_are_those_of_the_own_environment_and_the_own_ones(world: World) -> None:
    own = await ask(world.client, content="Of no environment")
    everybodys = world.runs[OPEN]
    for client, seen in ((world.client, {own, *everybodys}), (world.other, set(everybodys))):
        page = (await client.get("/api/runs?limit=200")).json()
        listed = [run["id"] for run in page["data"]]
        assert set(listed) & {own, *everybodys, *world.runs[SECRET]} == seen
        assert page["total"] == len(listed)
        stepped = [
            run["id"]
            for offset in range(len(listed))
            for run in (await client.get(f"/api/runs?limit=1&offset={offset}")).json()["data"]
        ]
        assert stepped == listed
        rest = (await client.get(f"/api/runs?limit=200&before={listed[0]}")).json()["data"]
        assert [run["id"] for run in rest] == listed[1:]
        for run in (own, *everybodys):
            expected = 200 if run in seen else 404
            assert (await client.get(f"/api/runs/{run}")).status_code == expected
    approval = world.things[SECRET]["approval_id"]
    for action in ("approve", "reject", "link"):
        answer = await world.client.post(f"/api/approvals/{approval}/{action}")
        assert answer.status_code == 404
    for run in world.runs[SECRET]:
        assert (await world.client.get(f"/api/runs/{run}")).status_code == 404
        for action in ("cancel", "retry"):
            assert (await world.client.post(f"/api/runs/{run}/{action}")).status_code == 404
        before = await world.client.get("/api/runs", params={"before": run})
        assert before.status_code == 400
    everything = (await world.platform.http.get("/api/runs?limit=200")).json()["data"]
    assert {own, *everybodys, *world.runs[SECRET]} <= {run["id"] for run in everything}


AGENT_FIELDS: list[dict[str, Any]] = [
    {},
    {"name": "x"},
    {"description": "x"},
    {"prompt": "mine now"},
    {"prompt": ""},
    {"prompt_ref": {"key": "x", "env": OPEN}},
    {"model": "x"},
    {"provider": "mock"},
    {"tools": []},
    {"max_steps": 2},
    {"parameters": {"top_p": 1}},
]
WORKFLOW_FIELDS: list[dict[str, Any]] = [{}, {"name": "x"}, {"description": "x"}, {"steps": []}]


async def test_what_refers_to_another_environment_is_not_edited_whatever_is_sent(
    world: World,
) -> None:
    refused: list[tuple[str, str, dict[str, Any]]] = []
    for kind, fields in (("agent", AGENT_FIELDS), ("workflow", WORKFLOW_FIELDS)):
        path = f"/api/{kind}s/{world.things[SECRET][f'{kind}_id']}"
        refused += [("PUT", path, body) for body in fields]
        refused += [("DELETE", path, {}), ("POST", f"{path}/run", {})]
        refused += [("POST", f"{path}/{action}", {}) for action in ("publish", "versions")]
        refused.append(("POST", f"{path}/rollback", {"version": 1}))
        refused.append(("POST", f"{path}/promote", {"env": OPEN}))
    agent = f"/api/agents/{world.things[SECRET]['agent_id']}"
    refused += [
        ("DELETE", f"{agent}/conversations/{CONVERSATION}", {}),
        ("POST", "/api/playground/run", {"id": world.things[SECRET]["prompt_id"]}),
        ("POST", f"/api/prompts/{world.things[SECRET]['prompt_id']}/promote", {"env": OPEN}),
    ]
    revision = world.platform.platform.changes.feed.applied
    for method, path, body in refused:
        answer = await world.client.request(method, path, json=body)
        assert answer.status_code == 403, (method, path, body)
        assert OPEN in answer.json()["error"]
        assert MARK not in answer.text
    assert world.platform.platform.changes.feed.applied == revision


async def test_nothing_is_made_to_refer_to_another_environment(world: World) -> None:
    secret = {"prompt_ref": {"key": world.things[SECRET]["key"], "env": SECRET}}
    unsaid = {"prompt_ref": {"key": world.things[SECRET]["key"]}}
    for reference in (secret, unsaid):
        step = {"name": "s", "type": "render", "template": "x"}
        nested = {**step, "inputs": [{"deep": reference}]}
        for path, body in (
            ("agents", reference),
            ("workflows", {"steps": [{**step, **reference}]}),
            ("workflows", {"steps": [step, nested]}),
        ):
            answer = await world.client.post(f"/api/{path}", json={"key": new_key(), **body})
            assert answer.status_code == 403, answer.text
            own = world.things[OPEN][f"{path[:-1]}_id"]
            answer = await world.client.put(f"/api/{path}/{own}", json=body)
            assert answer.status_code == 403, answer.text


async def test_the_names_in_a_tools_schema_are_no_references(world: World) -> None:
    schema = {"type": "object", "properties": {"prompt_ref": {"type": "object"}}}
    tool = {"name": "t", "parameters": schema, "url": "https://example.org/"}
    body = {"key": new_key(), "prompt": "x", "tools": [tool]}
    assert (await world.client.post("/api/agents", json=body)).status_code == 200


async def talk(client: httpx.AsyncClient, agent: str, name: str, text: str = "Hi") -> int:
    body = {"input": text, "conversation_id": name}
    return (await client.post(f"/api/agents/{agent}/run", json=body)).status_code


async def test_conversations_are_those_of_the_own_environment_and_the_own_ones(
    world: World,
) -> None:
    http = world.platform.http
    agent = sent(await http.post("/api/agents", json={"key": new_key(), "prompt": "Be kind."}))
    url = f"/api/agents/{agent['id']}/conversations"
    assert await talk(http, agent["id"], "theirs", MARK) == 200
    assert await talk(world.client, agent["id"], "mine") == 200
    assert await talk(world.client, agent["id"], "mine") == 200
    for client, seen in ((world.client, ["mine"]), (world.other, []), (http, ["mine", "theirs"])):
        page = (await client.get(url)).json()
        assert ([conversation["id"] for conversation in page["data"]], page["total"]) == (
            seen,
            len(seen),
        )
        for name in ("mine", "theirs"):
            expected = 200 if name in seen else 404
            assert (await client.get(f"{url}/{name}")).status_code == expected
    assert await talk(world.client, agent["id"], "theirs") == 403
    assert await talk(world.other, agent["id"], "mine") == 403
    assert (await world.client.delete(f"{url}/theirs")).status_code == 404
    # What somebody else adds may be from anywhere.
    assert await talk(http, agent["id"], "mine", MARK) == 200
    assert (await world.client.get(f"{url}/mine")).status_code == 404


async def test_a_conversation_stays_of_the_environment_that_it_was_begun_in(world: World) -> None:
    http = world.platform.http
    reference = {"key": world.things[SECRET]["key"], "env": SECRET}
    agent = sent(await http.post("/api/agents", json={"key": new_key(), "prompt_ref": reference}))
    assert await talk(http, agent["id"], "old") == 200
    reference = {"key": world.things[OPEN]["key"], "env": OPEN}
    path = f"/api/agents/{agent['id']}"
    sent(await http.put(path, json={"prompt_ref": reference}))
    assert await talk(http, agent["id"], "new") == 200
    assert await talk(http, agent["id"], "old") == 200
    last = (await http.get("/api/runs?limit=1&source=agent")).json()["data"][0]["id"]
    assert (await world.client.get(f"/api/runs/{last}")).status_code == 404, "it repeats the old"
    page = (await world.client.get(f"{path}/conversations")).json()
    assert [conversation["id"] for conversation in page["data"]] == ["new"]
    assert await talk(world.client, agent["id"], "old") == 403
    assert await talk(world.client, agent["id"], "new") == 200
    assert await talk(world.other, agent["id"], "new") == 200


async def test_a_prompt_that_was_moved_shows_what_it_was_elsewhere_to_nobody_limited(
    world: World,
) -> None:
    platform, http = world.platform, world.platform.http
    prompt = await platform.create(env=SECRET, content=f"{MARK} {new_key()}")
    await platform.publish(prompt["id"])
    path = f"/api/prompts/{prompt['id']}"
    sent(await http.put(path, json={"content": "for all", "version": "v2"}))
    await platform.publish(prompt["id"])
    sent(await http.put(path, json={"env": OPEN}))
    sent(await http.put(path, json={"content": "newer", "version": "v3"}))
    await platform.publish(prompt["id"])
    body: dict[str, Any] = {"id": prompt["id"], "version": "v2"}
    sent(await http.post("/api/prompts/rollback", json=body))

    versions = (await world.client.get(f"{path}/versions")).json()
    assert [version["version"] for version in versions["data"]] == ["v3", "v2"], "v2 is served"
    assert versions["total"] == 2
    moves = (await world.client.get(f"{path}/history")).json()
    assert {move["env"] for move in moves["data"]} == {OPEN}
    assert moves["total"] == len(moves["data"]) == 3
    assert (await http.get(f"{path}/versions")).json()["total"] == 3

    reference = {"key": prompt["key"], "env": OPEN, "version": "v1"}
    agent = sent(await http.post("/api/agents", json={"key": new_key(), "prompt_ref": reference}))
    variants = [{"name": variant_name, "version": "v1", "weight": 5000} for variant_name in "AB"]
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", f"{path}/diff?from=v1", None),
        ("GET", f"{path}/diff?from=v3&to=v1", None),
        ("POST", "/api/prompts/rollback", {"id": prompt["id"], "version": "v1"}),
        ("POST", "/api/playground/run", {"id": prompt["id"], "version": "v1"}),
        ("PUT", f"{path}/rollout", {"enabled": True, "variants": variants}),
        ("POST", f"/api/agents/{agent['id']}/run", {}),
    ]
    for method, url, sending in requests:
        answer = await world.client.request(method, url, json=sending)
        assert answer.status_code == 403, (method, url, answer.text)
        assert MARK not in answer.text
    wider = await new_api_key(platform, role="editor", environments=[OPEN, "test"])
    async with platform.client(wider["key"]) as client:
        for version, status in (("v1", 403), ("v2", 200)):
            order = {"env": "test", "version": version}
            assert (await client.post(f"{path}/promote", json=order)).status_code == status
    assert (await world.client.get(f"{path}/diff?from=v2")).status_code == 200


async def test_clients_are_those_that_watch_no_other_environment(world: World) -> None:
    platform, app = world.platform, new_key()
    prompt = await platform.create(env=OPEN)
    watched = [{"namespace": OPEN}, {"namespace": SECRET}, {}]
    async with (
        platform.watch(app=f"{app}-0", **watched[0]),
        platform.watch(app=f"{app}-1", **watched[1]),
        platform.watch(app=f"{app}-2", **watched[2]),
        platform.watch(app=f"{app}-3", token=world.token) as own,
    ):
        apps = {row["app"] for row in sent(await world.client.get("/api/clients"))}
        assert {seen_app for seen_app in apps if seen_app.startswith(app)} == {
            f"{app}-0",
            f"{app}-3",
        }
        url = "/api/prompts/publish?wait=0s"
        published = (await world.client.post(url, json={"id": prompt["id"]})).json()
        silent = {row["app"] for row in published["silent"]}
        assert {silent_app for silent_app in silent if silent_app.startswith(app)} == {
            f"{app}-0",
            f"{app}-3",
        }
        assert published["connected"] == len(silent)
        assert (await next_event(own))["key"] == prompt["key"]
        everybodys = (await platform.http.post(url, json={"id": prompt["id"]})).json()
        assert everybodys["connected"] == published["connected"] + 1


async def test_a_watch_hears_nothing_of_another_environment(world: World) -> None:
    platform = world.platform
    async with platform.watch(token=world.token) as watcher:
        secret = await platform.create(env=SECRET, content=MARK)
        await platform.publish(secret["id"])
        sent(await platform.http.put(f"/api/prompts/{secret['id']}", json={"name": MARK}))
        assert (await platform.http.delete(f"/api/prompts/{secret['id']}")).status_code == 200
        last = await platform.create(env=OPEN)
        event = await next_event(watcher)
        assert event["id"] == last["id"], json.dumps(event)
