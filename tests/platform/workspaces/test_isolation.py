"""A restricted workspace exists for its members and admins only, whatever is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness.changes.agents import remember
from harness.changes.change_requests import ask_for_approvals
from harness.people import (
    logged_in,
    new_api_key,
    new_user,
    new_workspace,
    sent,
)
from harness.platform import (
    RunningPlatform,
    new_key,
    next_event,
)
from promptops_flows.protocol.engine_client import RunFinished
from promptops_platform.runlog.new_run import NewRun


@dataclass
class Place:
    """A restricted workspace with something of each kind, and callers of each kind."""

    platform: RunningPlatform
    workspace: str
    slug: str
    prompt: dict[str, Any]
    workflow: dict[str, Any]
    agent: dict[str, Any]
    run: str
    api_key: dict[str, Any]
    request: str
    # Who must not know of it, by name.
    outsiders: dict[str, httpx.AsyncClient]
    # A global viewer who is editor in it, and a global editor who is viewer in it.
    writer: httpx.AsyncClient
    reader: httpx.AsyncClient

    def ids(self) -> set[str]:
        """What must stand in no answer to an outsider."""
        secret = {self.workspace, self.slug, self.run, self.request, self.api_key["id"]}
        return secret | {
            resource[name]
            for resource in (self.prompt, self.workflow, self.agent)
            for name in ("id", "key")
        }


@pytest_asyncio.fixture(scope="module")
async def place(platform: RunningPlatform) -> AsyncIterator[Place]:
    writer, reader = await new_user(platform, "viewer"), await new_user(platform, "editor")
    workspace = await new_workspace(platform, "restricted", editor=writer, viewer=reader)
    prompt = await platform.create(env="prod", workspace=workspace, content="secret")
    await platform.publish(prompt["id"])
    steps = {"key": new_key(), "steps": [], "workspace": workspace}
    workflow = sent(await platform.http.post("/api/workflows", json=steps))
    fields = {"key": new_key(), "prompt": "secret", "workspace": workspace}
    agent = sent(await platform.http.post("/api/agents", json=fields))
    await remember(platform, agent["id"], "chat-1")
    for url in (f"/api/workflows/{workflow['id']}", f"/api/agents/{agent['id']}"):
        sent(await platform.http.post(f"{url}/publish"))
    await ask_for_approvals(platform, workspace)
    order = {"id": prompt["id"], "version": "v1"}
    proposed = await platform.http.post("/api/prompts/rollback", json=order)
    await ask_for_approvals(platform, workspace, approvals=0)
    key = {"name": new_key(), "workspace": workspace}
    api_key = sent(await platform.http.post("/api/keys", json=key))
    slug = sent(await platform.http.get(f"/api/workspaces/{workspace}"))["slug"]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        outsiders = {
            "viewer": await enter(logged_in(platform, await new_user(platform, "viewer"))),
            "editor": await enter(logged_in(platform, await new_user(platform, "editor"))),
            "unbound key": await enter(platform.client(await new_api_key(platform, role="editor"))),
            "admin key of another workspace": await enter(
                platform.client(
                    await new_api_key(
                        platform,
                        role="admin",
                        manage_accounts=True,
                        workspace=await new_workspace(platform),
                    )
                )
            ),
        }
        yield Place(
            platform,
            workspace,
            slug,
            prompt,
            workflow,
            agent,
            await ended_run(platform, workspace),
            api_key,
            proposed.json()["change_request"]["id"],
            outsiders,
            await enter(logged_in(platform, writer)),
            await enter(logged_in(platform, reader)),
        )


OUTSIDERS = ("viewer", "editor", "unbound key", "admin key of another workspace")


@pytest.fixture(params=OUTSIDERS)
def outsider(request: pytest.FixtureRequest, place: Place) -> httpx.AsyncClient:
    return place.outsiders[request.param]


async def ended_run(platform: RunningPlatform, workspace: str) -> str:
    """An entry of the run log."""
    run = NewRun(
        id=new_key()[:36],
        workspace_id=workspace,
        source="workflow",
        ref_key="x",
        flow_run_id="f",
        flow_run_url=None,
    )
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.open(transaction, run)
    async with platform.platform.database.write() as transaction:
        end = RunFinished(status="ok", output="secret")
        await platform.platform.runlog.log.close(transaction, run.id, end)
    return run.id


def reads(place: Place) -> list[str]:
    """Paths that name something in the workspace."""
    prompt = f"/api/prompts/{place.prompt['id']}"
    urls = [prompt, f"{prompt}/versions", f"/api/workflows/{place.workflow['id']}"]
    urls += [f"{prompt}/rollout", f"{prompt}/history", f"{prompt}/diff?from=v1&to=draft"]
    urls.append(f"{prompt}/usage")
    urls.append(f"/api/change-requests/{place.request}")
    agent = f"/api/agents/{place.agent['id']}"
    for url in (agent, f"/api/workflows/{place.workflow['id']}"):
        urls += [f"{url}/versions", f"{url}/versions/1", f"{url}/history", f"{url}/diff"]
    urls += [agent, f"{agent}/conversations", f"{agent}/conversations/chat-1"]
    urls += [f"/api/runs/{place.run}", f"/api/runs/{place.run}/events"]
    urls += [f"/api/sdk/prompts/{place.prompt['key']}"]
    for name in (place.workspace, place.slug):
        here = f"/api/workspaces/{name}"
        urls += [here, f"{here}/members", f"{here}/environments"]
        urls += [f"/api/prompts?workspace={name}", f"/api/workflows?workspace={name}"]
        urls.append(f"/api/agents?workspace={name}")
        urls.append(f"/api/change-requests?workspace={name}")
        listed = "/api/prompt-keys"
        for part in ("", "/facets", "/calls", "/programs"):
            urls.append(f"{listed}{part}?workspace={name}")
        urls.append(f"/api/sdk/prompts/{place.prompt['key']}?workspace={name}")
    return urls


def writes(place: Place) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and body of changes to it, that an editor there may make."""
    prompt, workflow = (
        f"/api/prompts/{place.prompt['id']}",
        f"/api/workflows/{place.workflow['id']}",
    )
    identified = {"id": place.prompt["id"]}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", prompt, {"content": "x"}),
        ("POST", "/api/prompts/publish", identified),
        ("POST", "/api/prompts/rollback", identified | {"version": "v1"}),
        ("POST", f"{prompt}/promote", {"env": "test"}),
        ("PUT", f"{prompt}/rollout", {"enabled": False}),
        ("DELETE", f"{prompt}/rollout", {}),
        ("PUT", workflow, {"name": "x"}),
        ("PUT", f"/api/agents/{place.agent['id']}", {"name": "x"}),
        ("POST", f"/api/prompts?workspace={place.workspace}", {"key": new_key()}),
    ]
    for url in (workflow, f"/api/agents/{place.agent['id']}"):
        requests += [("POST", f"{url}/{action}", {}) for action in ("versions", "publish")]
        requests += [
            ("POST", f"{url}/rollback", {"version": 1}),
            ("POST", f"{url}/promote", {"env": "test"}),
        ]
    requests.append(("POST", f"{prompt}/versions", {}))
    request = f"/api/change-requests/{place.request}"
    requests.append(("POST", f"{request}/comments", {"comment": "Why?"}))
    for name in (place.workspace, place.slug):
        for field in ("workspace", "workspace_id"):
            requests.append(("POST", "/api/prompts", {"key": new_key(), field: name}))
            requests.append(
                ("POST", "/api/workflows", {"key": new_key(), "steps": [], field: name})
            )
            requests.append(("POST", "/api/agents", {"key": new_key(), field: name}))
    return requests


def removals(place: Place) -> list[tuple[str, str, dict[str, Any]]]:
    """Changes that would end the tests' own things."""
    here = f"/api/workspaces/{place.workspace}"
    request = f"/api/change-requests/{place.request}"
    return [
        ("POST", f"{request}/approve", {}),
        ("POST", f"{request}/schedule", {"apply_at": None}),
        ("POST", f"{request}/reject", {"comment": "No."}),
        *(("POST", f"{request}/{action}", {}) for action in ("withdraw", "refresh", "apply")),
        ("DELETE", f"/api/prompts/{place.prompt['id']}", {}),
        ("DELETE", f"/api/workflows/{place.workflow['id']}", {}),
        ("DELETE", f"/api/agents/{place.agent['id']}", {}),
        ("DELETE", f"/api/agents/{place.agent['id']}/conversations/chat-1", {}),
        ("DELETE", f"/api/keys/{place.api_key['id']}", {}),
        ("DELETE", here, {}),
        ("PUT", here, {"visibility": "open"}),
        ("PUT", f"{here}/members/admin", {"role": "viewer"}),
        ("DELETE", f"{here}/members/admin", {}),
        ("PUT", f"{here}/environments", {"environments": [{"name": "x"}]}),
        ("POST", "/api/keys", {"name": "k", "workspace": place.workspace}),
    ]


async def test_no_list_shows_anything_of_it(place: Place, outsider: httpx.AsyncClient) -> None:
    async with place.platform.watch(workspace=place.workspace, app=place.slug):
        for path in (
            "/api/workspaces",
            "/api/prompts",
            f"/api/prompts?q={place.prompt['key']}",
            "/api/workflows",
            "/api/agents",
            "/api/change-requests",
            "/api/runs?limit=200",
            "/api/audit?limit=200",
            "/api/clients",
            "/api/keys",
        ):
            answer = await outsider.get(path)
            assert answer.status_code == 200 or path == "/api/keys", answer.text
            leaked = [id_ for id_ in place.ids() if f'"{id_}"' in answer.text]
            assert not leaked, path


async def test_whatever_names_it_is_not_found(place: Place, outsider: httpx.AsyncClient) -> None:
    for path in reads(place):
        answer = await outsider.get(path)
        assert answer.status_code == 404, path
        assert "secret" not in answer.text
    for path in (f"/api/workflows/{place.workflow['id']}", f"/api/agents/{place.agent['id']}"):
        run = await outsider.post(f"{path}/run", json={})
        assert run.status_code == 404
    for action in ("cancel", "retry"):
        assert (await outsider.post(f"/api/runs/{place.run}/{action}")).status_code == 404


async def test_nothing_of_it_can_be_changed(place: Place, outsider: httpx.AsyncClient) -> None:
    everywhere = "/api/prompts", "/api/workflows", "/api/agents"
    for method, path, body in [*writes(place), *removals(place)]:
        answer = await outsider.request(method, path, json=body)
        # The guard's 403 says what the caller lacks everywhere, not what is there.
        assert answer.status_code in {403, 404}, (method, path, answer.text)
        if answer.status_code == 403:
            unknown = path.replace(place.workspace, "x").replace(place.prompt["id"], "x")
            for resource in (place.workflow, place.agent, place.api_key):
                unknown = unknown.replace(resource["id"], "x")
            same = await outsider.request(method, unknown, json=body)
            assert same.status_code == 403 or path in everywhere, (method, path)
    prompt = sent(await place.platform.http.get(f"/api/prompts/{place.prompt['id']}"))
    assert prompt["content"] == "secret"
    editor = place.outsiders["editor"]
    for method, path, body in writes(place):
        assert (await editor.request(method, path, json=body)).status_code == 404, (method, path)
    other = place.outsiders["admin key of another workspace"]
    for method, path, body in [*writes(place), *removals(place)]:
        answer = await other.request(method, path, json=body)
        deleting_workspaces = (method, path) == ("DELETE", f"/api/workspaces/{place.workspace}")
        assert answer.status_code == (403 if deleting_workspaces else 404), (method, path)


async def test_totals_and_statistics_do_not_count_it(
    place: Place, outsider: httpx.AsyncClient
) -> None:
    async def figures(client: httpx.AsyncClient) -> list[Any]:
        return [
            (await client.get("/api/audit?limit=1")).json()["total"],
            (await client.get("/api/runs?limit=1")).json()["total"],
            (await client.get("/api/runs/stats")).json(),
        ]

    before, before_inside = await figures(outsider), await figures(place.reader)
    await place.platform.create(workspace=place.workspace)
    await ended_run(place.platform, place.workspace)
    assert await figures(outsider) == before
    audit, runs, stats = await figures(place.reader)
    assert (audit, runs, stats["total"]) == (
        before_inside[0] + 1,
        before_inside[1] + 1,
        before_inside[2]["total"] + 1,
    )


async def test_a_watch_hears_nothing_of_it(place: Place) -> None:
    platform = place.platform
    async with AsyncExitStack() as stack:
        watches = []
        for client in place.outsiders.values():
            token = client.headers["authorization"].removeprefix("Bearer ")
            for query in ({}, {"workspace": place.workspace}, {"workspace": place.slug}):
                watch = platform.watch(token=token, namespace="prod", **query)
                watches.append((query, token, await stack.enter_async_context(watch)))
        member = await stack.enter_async_context(
            platform.watch(
                token=place.reader.headers["authorization"].removeprefix("Bearer "),
                workspace=place.slug,
            )
        )
        made = await platform.create(env="prod", workspace=place.workspace)
        assert (await next_event(member))["id"] == made["id"]
        last = await platform.create(env="prod")
        for query, token, watch in watches:
            if not query and token != bound_key(place):
                assert (await next_event(watch))["id"] == last["id"]
            else:
                # Its own workspace, or one that doesn't exist for it: both are silent.
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(watch.recv(), 0.05)


def bound_key(place: Place) -> str:
    header = place.outsiders["admin key of another workspace"].headers["authorization"]
    return header.removeprefix("Bearer ")


async def test_members_have_their_role_there(place: Place) -> None:
    for client, role in ((place.writer, "editor"), (place.reader, "viewer")):
        here = sent(await client.get(f"/api/workspaces/{place.workspace}"))
        assert here["role"] == role
        for path in reads(place):
            assert (await client.get(path)).status_code == 200, path
        run = await client.post(f"/api/workflows/{place.workflow['id']}/run", json={})
        assert run.status_code == 503, "it would have run, were there an engine"
        listed = sent(await client.get("/api/prompts"))
        assert place.prompt["id"] in {prompt["id"] for prompt in listed}
    for method, path, body in writes(place):
        refused = await place.reader.request(method, path, json=body)
        assert refused.status_code == 403, (method, path)
        assert refused.json()["error"] == "forbidden: requires editor role"
    for method, path, body in removals(place):
        refused = await place.reader.request(method, path, json=body)
        assert refused.status_code in {403, 404}, (method, path)
    prompt = sent(
        await place.writer.post(
            "/api/prompts", json={"key": new_key(), "workspace": place.workspace}
        )
    )
    url = f"/api/prompts/{prompt['id']}"
    assert (await place.writer.put(url, json={"content": "x"})).status_code == 200
    assert (await place.writer.post("/api/prompts/publish", json={"id": prompt["id"]})).is_success
    assert (await place.writer.delete(url)).status_code == 200
    elsewhere = await place.writer.post("/api/prompts", json={"key": new_key()})
    assert elsewhere.status_code == 403, "in default the writer is a viewer"


async def test_the_same_key_is_served_from_what_the_caller_may_see(place: Place) -> None:
    key = new_key()
    await place.platform.create(key, env="prod", workspace=place.workspace, content="secret")
    below = await new_workspace(place.platform)
    await place.platform.create(key, env="prod", workspace=below, content="for all")
    contents = [
        (await client.get(f"/api/sdk/prompts/{key}")).json()["content"]
        for client in (place.reader, place.outsiders["viewer"], place.outsiders["unbound key"])
    ]
    assert contents == ["secret", "for all", "for all"]


async def test_a_key_of_it_sees_nothing_else(place: Place) -> None:
    platform = place.platform
    open_one = await platform.create(env="prod")
    async with platform.client(
        await new_api_key(platform, role="admin", workspace=place.workspace)
    ) as client:
        listed = sent(await client.get("/api/workspaces"))
        assert [workspace["id"] for workspace in listed] == [place.workspace]
        prompts = sent(await client.get("/api/prompts"))
        assert {prompt["workspace_id"] for prompt in prompts} == {place.workspace}
        for path in (
            f"/api/prompts/{open_one['id']}",
            f"/api/sdk/prompts/{open_one['key']}",
            "/api/workspaces/default",
            "/api/prompts?workspace=default",
        ):
            assert (await client.get(path)).status_code == 404, path
        fetched = await client.get(
            f"/api/sdk/prompts/{place.prompt['key']}", params={"workspace": "default"}
        )
        assert fetched.json()["content"] == "secret", "the key's own workspace wins"
