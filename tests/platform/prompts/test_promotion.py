"""Promotion from one environment to another."""

import asyncio
from typing import Any

import httpx
import pytest

from harness.platform import RunningPlatform, new_key, next_event
from promptops_platform.ids import new_id
from promptops_platform.workspaces.tables import EnvironmentRow


async def promote(
    platform: RunningPlatform, prompt_id: str, http: httpx.AsyncClient | None = None, **body: Any
) -> httpx.Response:
    return await (http or platform.http).post(f"/api/prompts/{prompt_id}/promote", json=body)


async def listed(platform: RunningPlatform, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        await platform.http.get("/api/prompts", params={"q": key})
    ).json()["data"]
    return [row for row in rows if row["key"] == key]


async def test_an_absent_row_is_made_and_served(platform: RunningPlatform) -> None:
    source = await platform.create(
        content="one", name="N", category="c", tags="a,b", model="m", config={"seed": 1}
    )
    answer = await promote(platform, source["id"], env="prod")
    made = answer.json()["data"]
    assert answer.headers["etag"] == '"1"'
    assert made["id"] != source["id"]
    taken = ("key", "workspace_id", "content", "model", "config", "name", "category", "tags")
    assert [made[name] for name in taken] == [source[name] for name in taken]
    assert (made["env"], made["version"], made["published_version"]) == ("prod", "v1", None)
    assert (await platform.fetch(source["key"])).json()["content"] == "one"
    assert (await platform.http.get(f"/api/prompts/{source['id']}")).json()["data"] == source


async def test_what_is_published_goes_not_the_draft(platform: RunningPlatform) -> None:
    source = await platform.create(messages=[{"role": "user", "content": "one"}])
    await platform.publish(source["id"])
    await platform.http.put(f"/api/prompts/{source['id']}", json={"kind": "text", "content": "2"})
    made = (await promote(platform, source["id"], env="test", publish=True)).json()["data"]
    assert (made["kind"], made["content"], made["published_version"]) == ("chat", "one", "v1")
    versions = (await platform.http.get(f"/api/prompts/{made['id']}/versions")).json()["data"]
    assert [version["note"] for version in versions] == ["promoted from v1 of dev"]
    assert (await platform.fetch(source["key"], "test")).json()["messages"]


async def test_a_named_version_goes_and_an_unknown_one_is_a_404(
    platform: RunningPlatform,
) -> None:
    source = await platform.create(content="one")
    await platform.publish(source["id"])
    await platform.http.put(f"/api/prompts/{source['id']}", json={"content": "two"})
    await platform.publish(source["id"])
    unknown = await promote(platform, source["id"], env="prod", version="v9")
    assert unknown.status_code == 404
    assert "v9" in unknown.json()["error"]
    assert len(await listed(platform, source["key"])) == 1
    sent = {"env": "prod", "version": "v1", "publish": True, "note": "the good one"}
    made = (await promote(platform, source["id"], **sent)).json()["data"]
    assert (made["content"], made["published_version"]) == ("one", "v1")
    versions = (await platform.http.get(f"/api/prompts/{made['id']}/versions")).json()["data"]
    assert versions[0]["note"] == "promoted from v1 of dev: the good one"


async def test_a_published_row_gets_a_draft_until_it_is_published(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    target = await platform.create(key, env="prod", content="old", name="kept")
    await platform.publish(target["id"])
    source = await platform.create(key, env="dev", content="new", name="other")
    drafted = (await promote(platform, source["id"], env="prod")).json()["data"]
    assert (drafted["id"], drafted["name"], drafted["content"]) == (target["id"], "kept", "new")
    assert drafted["published_version"] == "v1"
    assert (await platform.fetch(key)).json()["content"] == "old"
    published = (await promote(platform, source["id"], env="prod", publish=True)).json()["data"]
    assert published["published_version"] == "v2"
    assert (await platform.fetch(key)).json()["content"] == "new"
    again = (await promote(platform, source["id"], env="prod", publish=True)).json()["data"]
    assert again["published_version"] == "v2"
    versions = (await platform.http.get(f"/api/prompts/{target['id']}/versions")).json()
    assert versions["total"] == 2


async def test_watchers_of_the_other_environment_hear_of_it(platform: RunningPlatform) -> None:
    source = await platform.create(content="one")
    async with platform.watch(namespace="test") as watcher:
        await promote(platform, source["id"], env="test")
        event = await next_event(watcher)
        assert (event["type"], event["key"], event["env"]) == (
            "prompt.updated", source["key"], "test",
        )  # fmt: skip
        await promote(platform, source["id"], env="test", publish=True)
        assert (await next_event(watcher))["type"] == "prompt.published"


async def test_many_at_once_make_one_row(platform: RunningPlatform) -> None:
    source = await platform.create(content="one")
    answers = await asyncio.gather(
        *(promote(platform, source["id"], env="prod", publish=True) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    rows = [row for row in await listed(platform, source["key"]) if row["env"] == "prod"]
    assert [(row["published_version"], row["revision"]) for row in rows] == [("v1", 8)]


async def test_a_new_environment_is_made(platform: RunningPlatform) -> None:
    source = await platform.create(content="one")
    env = f"env-{new_id()[-8:]}"
    assert (await promote(platform, source["id"], env=env)).json()["data"]["env"] == env
    assert (await platform.fetch(source["key"], env)).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "env: is required"),
        ({"env": ""}, "env"),
        ({"env": "a b"}, "env"),
        ({"env": "dev"}, "env: the prompt is already in 'dev'"),
        ({"env": "prod", "publish": "perhaps"}, "publish"),
        ({"env": "prod", "version": {}}, "version"),
        ({"env": "prod", "note": "n" * 2001}, "note"),
    ],
)
async def test_a_bad_order_is_a_400(
    platform: RunningPlatform, body: dict[str, Any], message: str
) -> None:
    source = await platform.create(env="dev")
    answer = await promote(platform, source["id"], **body)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]
    assert await listed(platform, source["key"]) == [source]


async def test_an_unknown_prompt_is_a_404(platform: RunningPlatform) -> None:
    assert (await promote(platform, "unknown", env="prod")).status_code == 404


async def test_only_admins_promote_into_a_protected_environment(
    platform: RunningPlatform,
) -> None:
    env, key, name = f"safe-{new_id()[-8:]}", new_key(), f"editor-{new_id()[-8:]}"
    async with platform.platform.database.write() as transaction:
        transaction.session.add(
            EnvironmentRow(workspace_id="default", name=env, position=9, protected=True)
        )
    login = {"username": name, "password": "a-long-enough-password"}
    await platform.http.post("/api/users", json={**login, "role": "editor"})
    token = (await platform.http.post("/api/login", json=login)).json()["token"]
    source = await platform.create(key, content="one")
    async with platform.client(token) as editor:
        for publish in (False, True):
            answer = await promote(platform, source["id"], editor, env=env, publish=publish)
            assert answer.status_code == 403
            assert answer.json()["error"] == "forbidden: requires admin role"
        assert len(await listed(platform, key)) == 1
        assert (await promote(platform, source["id"], env=env, publish=True)).status_code == 200
        for publish in (False, True):
            answer = await promote(platform, source["id"], editor, env=env, publish=publish)
            assert answer.status_code == 403


async def test_a_viewer_may_not(platform: RunningPlatform) -> None:
    login = {"username": f"viewer-{new_id()[-8:]}", "password": "a-long-enough-password"}
    await platform.http.post("/api/users", json={**login, "role": "viewer"})
    token = (await platform.http.post("/api/login", json=login)).json()["token"]
    source = await platform.create()
    async with platform.client(token) as viewer:
        answer = await promote(platform, source["id"], viewer, env="prod")
    assert answer.status_code == 403


async def test_promotions_both_ways_at_once_never_wait_for_each_other(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    one = await platform.create(key, env="dev", content="one")
    other = await platform.create(key, env="prod", content="other")
    orders = [
        promote(platform, source["id"], env=env, publish=number % 2 == 0)
        for number in range(6)
        for source, env in ((one, "prod"), (other, "dev"))
    ]
    assert {answer.status_code for answer in await asyncio.gather(*orders)} == {200}


async def test_a_workspace_is_deleted_while_prompts_are_promoted_in_it(
    platform: RunningPlatform,
) -> None:
    for _ in range(3):
        made = await platform.http.post("/api/workspaces", json={"name": new_key()})
        workspace = made.json()["data"]["id"]
        sources = [await platform.create(workspace=workspace) for _ in range(3)]
        targets = [
            await platform.create(source["key"], workspace=workspace, env="prod")
            for source in sources
        ]
        orders = [
            promote(platform, source["id"], env=env, publish=True)
            for env in ("prod", "test", new_key())
            for source in sources
        ]
        deletion = platform.http.delete(f"/api/workspaces/{workspace}?force=true")
        answers = await asyncio.gather(*orders[:4], deletion, *orders[4:])
        assert {answer.status_code for answer in answers} <= {200, 404}
        for prompt in targets:
            assert (await platform.http.get(f"/api/prompts/{prompt['id']}")).status_code == 404


async def test_a_prompt_that_moves_there_meanwhile_is_not_promoted_into_itself(
    platform: RunningPlatform,
) -> None:
    for _ in range(20):
        source = await platform.create(content="one")
        move = platform.http.put(f"/api/prompts/{source['id']}", json={"env": "prod"})
        _, promoted = await asyncio.gather(move, promote(platform, source["id"], env="prod"))
        if promoted.status_code == 200:
            assert promoted.json()["data"]["id"] != source["id"]
        else:
            assert promoted.status_code in {400, 409}, promoted.text
