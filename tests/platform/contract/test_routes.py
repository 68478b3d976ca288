"""The wire contract's table of routes: one test for each row, as an existing client calls it.

What a row says stands in its test; how each room behaves beyond it, in the tests of the rooms. The
run of a workflow, which needs a run engine, is among the tests of workflows.
"""

from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness.callers import PASSWORD, as_caller, new_account
from harness.platform import TOKEN, RunningPlatform, new_key, next_event
from harness.rollouts import published

Body = dict[str, Any]


def body_of(answer: httpx.Response, status: int = 200) -> Body:
    """The JSON of an answer with this status; of an error, its `error` is a text."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: Body = answer.json()
    if status >= 400:
        assert isinstance(body["error"], str)
    return body


async def get(platform: RunningPlatform, path: str, **query: Any) -> Body:
    return body_of(await platform.http.get(path, params=query))


async def post(platform: RunningPlatform, path: str, body: Any = None) -> Body:
    return body_of(await platform.http.post(path, json=body))


async def put(platform: RunningPlatform, path: str, body: Any) -> Body:
    return body_of(await platform.http.put(path, json=body))


async def delete(platform: RunningPlatform, path: str) -> None:
    """A deletion, after which it is gone."""
    assert body_of(await platform.http.delete(path)) == {"ok": True}
    body_of(await platform.http.delete(path), 404)


def keys_of(body: Body) -> list[str]:
    return [prompt["key"] for prompt in body["data"]]


async def test_get_health(platform: RunningPlatform) -> None:
    async with platform.client(None) as nobody:
        assert (await nobody.get("/health")).text == '{"ok":true}'


async def test_post_login(platform: RunningPlatform) -> None:
    account = await new_account(platform, "editor")
    async with platform.client(None) as nobody:
        credentials = {"username": account.name, "password": PASSWORD}
        answer = body_of(await nobody.post("/api/login", json=credentials))
        assert list(answer) == ["ok", "token", "role", "username"]
        assert answer | {"token": ""} == {
            "ok": True,
            "token": "",
            "role": "editor",
            "username": account.name,
        }
        by_token = body_of(await nobody.post("/api/login", json={"token": answer["token"]}))
        assert by_token == answer
        body_of(await nobody.post("/api/login", json=credentials | {"password": "wrong"}), 401)
        body_of(await nobody.post("/api/login", json={"token": "wrong"}), 401)


async def test_post_logout(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    async with as_caller(platform, account.token) as user:
        assert body_of(await user.post("/api/logout")) == {"ok": True}
        body_of(await user.get("/api/me"), 401)


async def test_get_me(platform: RunningPlatform) -> None:
    me = await get(platform, "/api/me")
    assert list(me.items())[:2] == [("username", "admin"), ("role", "admin")]


async def test_get_and_post_users(platform: RunningPlatform) -> None:
    account = {"username": new_key(), "password": "correct horse", "role": "editor"}
    user = (await post(platform, "/api/users", account))["data"]
    assert (user["username"], user["role"]) == (account["username"], "editor")
    assert user in (await get(platform, "/api/users"))["data"]
    body_of(await platform.http.post("/api/users", json=account), 400)
    unknown = account | {"username": new_key(), "role": "wizard"}
    assert (await post(platform, "/api/users", unknown))["data"]["role"] == "viewer"


async def test_put_and_delete_users_id(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    url = f"/api/users/{account.id}"
    changed = (await put(platform, url, {"role": "editor"}))["data"]
    assert (changed["id"], changed["role"]) == (account.id, "editor")
    async with as_caller(platform, account.token) as user:
        assert body_of(await user.get("/api/me"))["role"] == "editor"
        await delete(platform, url)
        body_of(await user.get("/api/me"), 401)


async def test_get_and_post_workspaces(platform: RunningPlatform) -> None:
    slug = new_key()
    made = (await post(platform, "/api/workspaces", {"name": "A team", "slug": slug}))["data"]
    assert (made["name"], made["slug"]) == ("A team", slug)
    without = (await post(platform, "/api/workspaces", {"name": new_key()}))["data"]
    listed = [workspace["id"] for workspace in (await get(platform, "/api/workspaces"))["data"]]
    assert {"default", made["id"], without["id"]} <= {*listed}


async def test_delete_workspaces_id(platform: RunningPlatform) -> None:
    made = await post(platform, "/api/workspaces", {"name": new_key()})
    await delete(platform, f"/api/workspaces/{made['data']['id']}")
    body_of(await platform.http.delete("/api/workspaces/default"), 400)


async def test_get_prompts(platform: RunningPlatform) -> None:
    mark = new_key()
    await platform.create(f"{mark}-1", env="dev", category=mark, tags="a,b")
    await platform.create(f"{mark}-2", env="prod", category=mark, name=f"about {mark}")
    await platform.create(f"{mark}-3", env="prod", tags="b", content=mark)
    newest_first = [f"{mark}-{number}" for number in (3, 2, 1)]
    assert keys_of(await get(platform, "/api/prompts", q=mark)) == newest_first
    for query, numbers in (
        ({"env": "prod"}, (3, 2)),
        ({"category": mark}, (2, 1)),
        ({"tag": "b"}, (3, 1)),
        ({"tag": "b", "env": "dev"}, (1,)),
        ({"workspace": "default"}, (3, 2, 1)),
    ):
        keys = keys_of(await get(platform, "/api/prompts", q=mark, **query))
        assert keys == [f"{mark}-{number}" for number in numbers], query


async def test_post_prompts(platform: RunningPlatform) -> None:
    key = new_key()
    made = (await post(platform, "/api/prompts", {"key": key, "content": "x"}))["data"]
    assert (made["key"], made["env"], made["version"], made["content"]) == (key, "dev", "v1", "x")
    body_of(await platform.http.post("/api/prompts", json={"content": "x"}), 400)


async def test_get_put_and_delete_prompts_id(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="old")
    url = f"/api/prompts/{prompt['id']}"
    assert (await get(platform, url))["data"] == prompt
    changed = (await put(platform, url, {"key": "other", "content": "new"}))["data"]
    assert (changed["key"], changed["content"]) == (prompt["key"], "new")
    await delete(platform, url)
    body_of(await platform.http.get(url), 404)


async def test_get_prompts_id_versions(platform: RunningPlatform) -> None:
    prompt = await published(platform, "one", "two", "three")
    versions = (await get(platform, f"/api/prompts/{prompt['id']}/versions"))["data"]
    assert [(version["version"], version["content"]) for version in versions] == [
        ("v3", "three"),
        ("v2", "two"),
        ("v1", "one"),
    ]


async def test_post_prompts_publish(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="one")
    version = (await post(platform, "/api/prompts/publish", {"id": prompt["id"]}))["data"]
    assert (version["prompt_id"], version["key"]) == (prompt["id"], prompt["key"])
    assert (version["version"], version["content"]) == ("v1", "one")


async def test_post_prompts_rollback(platform: RunningPlatform) -> None:
    prompt = await published(platform, "one", "two")
    back = {"id": prompt["id"], "version": "v1"}
    rolled = (await post(platform, "/api/prompts/rollback", back))["data"]
    assert (rolled["id"], rolled["version"], rolled["content"]) == (prompt["id"], "v1", "one")
    unknown = await platform.http.post("/api/prompts/rollback", json=back | {"version": "v9"})
    body_of(unknown, 404)


async def test_get_put_and_delete_prompts_id_rollout(platform: RunningPlatform) -> None:
    prompt = await published(platform, "one", "two")
    url = f"/api/prompts/{prompt['id']}/rollout"
    assert (await platform.http.get(url)).text == '{"data":null}'
    form = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 30}
    for weight, kept in ((30, 30), (-5, 0), (120, 100)):
        rollout = (await put(platform, url, form | {"weight_a": weight}))["data"]
        assert form | {"weight_a": kept} == {name: rollout[name] for name in form}
        assert (await get(platform, url))["data"] == rollout
    assert body_of(await platform.http.delete(url)) == {"ok": True}
    assert (await platform.http.get(url)).text == '{"data":null}'


async def test_get_sdk_prompts_key(platform: RunningPlatform) -> None:
    prompt = await published(platform, "one", "two", env="prod")
    key = prompt["key"]
    bare = {"key": key, "version": "v2", "env": "prod", "model": "m2", "content": "two"}
    assert list((await get(platform, f"/api/sdk/prompts/{key}")).items()) == list(bare.items())
    body_of(await platform.http.get(f"/api/sdk/prompts/{key}?env=dev"), 404)
    form = {"enabled": True, "variant_a": "v1", "variant_b": "v2"}
    for weight, variant, version in ((100, "A", "v1"), (0, "B", "v2")):
        await put(platform, f"/api/prompts/{prompt['id']}/rollout", form | {"weight_a": weight})
        fetched = await get(platform, f"/api/sdk/prompts/{key}")
        assert (fetched["variant"], fetched["version"]) == (variant, version)
        assert list(fetched) == [*bare, "variant"]


async def test_get_and_post_workflows_and_their_id(platform: RunningPlatform) -> None:
    key, steps = new_key(), [{"name": "up", "type": "transform", "op": "upper"}]
    made = (await post(platform, "/api/workflows", {"key": key, "steps": steps}))["data"]
    assert (made["key"], made["steps"]) == (key, steps)
    assert keys_of(await get(platform, "/api/workflows", q=key, workspace="default")) == [key]
    url = f"/api/workflows/{made['id']}"
    assert (await get(platform, url))["data"] == made
    assert (await put(platform, url, {"name": "N", "steps": []}))["data"]["steps"] == []
    await delete(platform, url)
    body_of(await platform.http.get(url), 404)


async def test_get_audit(platform: RunningPlatform) -> None:
    made = [await platform.create() for _ in range(3)]
    page = await get(platform, "/api/audit", limit=2)
    assert [entry["resource_id"] for entry in page["data"]] == [made[2]["id"], made[1]["id"]]
    assert page["total"] >= 3
    further = await get(platform, "/api/audit", limit=1, offset=2)
    assert further["data"][0]["resource_id"] == made[0]["id"]
    assert len((await get(platform, "/api/audit"))["data"]) <= 50
    assert len((await get(platform, "/api/audit", limit=100_000))["data"]) <= 200


async def test_get_runs(platform: RunningPlatform) -> None:
    page = await get(platform, "/api/runs", limit=2, offset=0)
    assert len(page["data"]) <= 2
    assert isinstance(page["total"], int)


async def test_get_runs_stats(platform: RunningPlatform) -> None:
    stats = await get(platform, "/api/runs/stats")
    assert set(stats) > {
        "total",
        "ok",
        "error",
        "prompt_tokens",
        "output_tokens",
        "avg_latency_ms",
        "by_provider",
    }


async def test_get_clients(platform: RunningPlatform) -> None:
    apps = [new_key(), new_key()]
    async with platform.watch(app=apps[0]), platform.watch(app=apps[1]):
        listed = [client["app"] for client in (await get(platform, "/api/clients"))["data"]]
    assert listed[:2] == [apps[1], apps[0]], "newest first"


@pytest.mark.parametrize("namespace", ["namespace", "env"])
async def test_ws(platform: RunningPlatform, namespace: str) -> None:
    async with platform.watch(client="python", app="shop", **{namespace: "prod"}) as watcher:
        await platform.create(env="dev")
        prompt = await platform.create(env="prod")
        assert await next_event(watcher) == {
            "type": "prompt.updated",
            "id": prompt["id"],
            "key": prompt["key"],
            "env": "prod",
            "version": "v1",
        }
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with connect(f"ws://127.0.0.1:{platform.port}/ws", additional_headers=headers):
        pass
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{platform.port}/ws?token=wrong")
    assert refused.value.response.status_code == 401
