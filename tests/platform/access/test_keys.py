"""API keys: made, listed and revoked; never wider than who made them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.callers import as_caller, login, me, new_account, new_api_key
from harness.people import new_workspace
from harness.platform import (
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.access.permissions import Role
from promptops_platform.access.tables import ApiKeyRow
from promptops_platform.clock import FakeClock

FIELDS = [
    "id",
    "name",
    "prefix",
    "role",
    "workspace_id",
    "environments",
    "created_by",
    "created_at",
    "expires_at",
    "last_used_at",
    "manage_accounts",
    "maker_kind",
    "maker_id",
    "effective_role",
]


async def ids_found(platform: RunningPlatform, **query: str) -> list[str]:
    answer = await platform.http.get("/api/keys", params=query)
    assert answer.status_code == 200, answer.text
    return [key["id"] for key in answer.json()["data"]]


async def is_closed(watcher: Any) -> None:
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
    assert watcher.close_code == 4401


async def test_a_key_is_shown_once_and_stored_hashed(platform: RunningPlatform) -> None:
    made = await new_api_key(platform, name="deployment")
    assert list(made) == [*FIELDS, "key"]
    assert made["key"].startswith(made["prefix"])
    assert len(made["prefix"]) < len(made["key"]) / 3
    assert (made["role"], made["created_by"]) == ("sdk", "admin")
    listed = await platform.http.get("/api/keys")
    assert list(listed.json()["data"][0]) == FIELDS
    assert made["key"] not in listed.text
    audit = await platform.http.get("/api/audit?limit=5")
    assert made["prefix"] in audit.text
    assert made["key"] not in audit.text
    async with platform.platform.database.read() as transaction:
        row = await transaction.session.get(ApiKeyRow, made["id"])
    assert row is not None
    assert all(made["key"] not in str(value) for value in vars(row).values())


async def test_keys_are_found_by_how_they_begin_and_by_name(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "restricted")
    one = await new_api_key(platform, name="Nightly batch")
    two = await new_api_key(platform, name="web", workspace=workspace)
    assert await ids_found(platform, prefix=one["prefix"]) == [one["id"]]
    assert await ids_found(platform, prefix=one["key"]) == [one["id"]]
    assert await ids_found(platform, prefix=one["prefix"].swapcase()) == []
    assert await ids_found(platform, prefix="pok%") == []
    assert {one["id"], two["id"]} <= set(await ids_found(platform, prefix="pok_"))
    assert one["id"] in await ids_found(platform, q="nightly B")
    assert await ids_found(platform, workspace=workspace) == [two["id"]]
    unknown = await platform.http.get("/api/keys?workspace=nowhere")
    assert unknown.status_code == 404


async def test_the_scope_sdk_fetches_and_watches_only(platform: RunningPlatform) -> None:
    key = await new_api_key(platform)
    prompt = await platform.create(env="prod")
    async with as_caller(platform, key["key"]) as client:
        fetched = await client.get(f"/api/sdk/prompts/{prompt['key']}")
        assert fetched.json()["key"] == prompt["key"]
        for path in ("/api/prompts", "/api/me", "/api/audit", "/api/keys", "/api/workspaces"):
            assert (await client.get(path)).status_code == 403, path
        assert (await client.post("/api/prompts", json={"key": new_key()})).status_code == 403
    async with platform.watch(token=key["key"], namespace="prod") as watcher:
        await platform.publish(prompt["id"])
        assert (await next_event(watcher))["key"] == prompt["key"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.METRICS, 0), (Role.SDK, 0), (Role.VIEWER, 1), (Role.EDITOR, 2), (Role.ADMIN, 3)],
)
async def test_a_key_has_its_role(platform: RunningPlatform, role: Role, allowed: int) -> None:
    key = await new_api_key(platform, role=role)
    async with as_caller(platform, key["key"]) as client:
        statuses = [
            (await client.get("/api/prompts?limit=1")).status_code,
            (await client.post("/api/prompts", json={"key": new_key()})).status_code,
            (await client.get("/api/users")).status_code,
        ]
    assert statuses.count(200) == allowed
    answer = await login(platform, token=key["key"])
    assert answer.json()["role"] == role


async def test_a_key_of_a_workspace_sees_that_one_only(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "restricted")
    key = await new_api_key(platform, role="admin", workspace=workspace)
    assert key["workspace_id"] == workspace
    other = await platform.create(env="prod")
    async with as_caller(platform, key["key"]) as client:
        own = (await client.post("/api/prompts", json={"key": new_key(), "env": "prod"})).json()
        assert own["data"]["workspace_id"] == workspace
        listed = (await client.get("/api/prompts")).json()["data"]
        assert [key["id"] for key in listed] == [own["data"]["id"]]
        assert (await client.get(f"/api/prompts/{other['id']}")).status_code == 404
        assert (await client.get(f"/api/sdk/prompts/{other['key']}")).status_code == 404
        assert (await client.get(f"/api/sdk/prompts/{own['data']['key']}")).status_code == 200
        # What concerns no single workspace needs more than a key of one.
        for path in ("/api/users",):
            assert (await client.get(path)).status_code == 403
        assert (await client.post("/api/workspaces", json={"name": "x"})).status_code == 403
        assert (await client.get("/api/me")).json()["workspace_id"] == workspace


async def test_a_key_without_a_workspace_sees_the_open_ones(platform: RunningPlatform) -> None:
    closed = await new_workspace(platform, "restricted")
    hidden = await platform.create(env="prod", workspace=closed)
    seen = await platform.create(env="prod")
    key = await new_api_key(platform, role="editor")
    async with as_caller(platform, key["key"]) as client:
        assert (await client.get(f"/api/prompts/{seen['id']}")).status_code == 200
        assert (await client.get(f"/api/prompts/{hidden['id']}")).status_code == 404
        assert (await client.get(f"/api/sdk/prompts/{hidden['key']}")).status_code == 404


async def test_a_key_of_some_environments_is_kept_from_the_others(
    platform: RunningPlatform,
) -> None:
    key = await new_api_key(platform, role="admin", environments=["test", "dev", "test"])
    assert key["environments"] == ["dev", "test"]
    prod, test = [await platform.create(env=env) for env in ("prod", "test")]
    async with as_caller(platform, key["key"]) as client:
        fetched = await client.get(f"/api/sdk/prompts/{test['key']}?env=test")
        assert fetched.status_code == 200
        for refused in (
            await client.get(f"/api/sdk/prompts/{prod['key']}?env=prod"),
            await client.get(f"/api/prompts/{prod['id']}"),
            await client.put(f"/api/prompts/{test['id']}", json={"env": "prod"}),
            await client.post("/api/prompts", json={"key": new_key(), "env": "prod"}),
            await client.get("/api/users"),
            await client.post("/api/workspaces", json={"name": "x"}),
            # It tells what prompts were, of every environment.
            await client.get("/api/audit"),
            await client.get("/api/audit/export"),
        ):
            assert refused.status_code == 403, refused.url
        listed = (await client.get("/api/prompts")).json()["data"]
        assert {prompt["env"] for prompt in listed} <= {"dev", "test"}
    with pytest.raises(InvalidStatus) as denied:
        async with platform.watch(token=key["key"], namespace="prod"):
            pass
    assert denied.value.response.status_code == 403


async def test_a_key_expires_and_its_watch_ends(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings, clock) as platform:
        until_when = clock.now() + timedelta(hours=1)
        key = await new_api_key(platform, role="viewer", expires_at=until_when.isoformat())
        assert datetime.fromisoformat(key["expires_at"]) == until_when
        async with platform.watch(token=key["key"]) as watcher:
            clock.advance(timedelta(minutes=59))
            assert (await me(platform, key["key"])).status_code == 200
            clock.advance(timedelta(minutes=1))
            assert (await me(platform, key["key"])).status_code == 401
            await is_closed(watcher)
        # It stays listed, so that somebody may find out what has stopped working.
        assert await ids_found(platform) == [key["id"]]


async def test_the_last_use_is_shown(platform: RunningPlatform) -> None:
    key = await new_api_key(platform)
    assert key["last_used_at"] is None
    before = datetime.now(UTC)
    async with as_caller(platform, key["key"]) as client:
        await client.get("/api/sdk/prompts/any")
    await platform.platform.access.uses.write()
    listed = (await platform.http.get("/api/keys", params={"prefix": key["key"]})).json()["data"]
    assert datetime.fromisoformat(listed[0]["last_used_at"]) >= before


async def test_a_revoked_key_is_refused_and_its_watch_ends(platform: RunningPlatform) -> None:
    key = await new_api_key(platform, role="viewer")
    other = await new_api_key(platform, role="viewer")
    async with (
        platform.watch(token=key["key"]) as watcher,
        platform.watch(token=other["key"]) as unconcerned,
    ):
        revoked = await platform.http.delete(f"/api/keys/{key['id']}")
        assert revoked.json() == {"ok": True}
        await is_closed(watcher)
        await unconcerned.ping()
    assert (await me(platform, key["key"])).status_code == 401
    assert (await me(platform, other["key"])).status_code == 200
    with pytest.raises(InvalidStatus) as denied:
        async with platform.watch(token=key["key"]):
            pass
    assert denied.value.response.status_code == 401
    again = await platform.http.delete(f"/api/keys/{key['id']}")
    assert again.status_code == 404
    assert await ids_found(platform, prefix=key["key"]) == []


@pytest.mark.usefixtures("no_slow_poll")
async def test_a_key_that_one_replica_revokes_ends_on_the_other(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        for _ in range(3):
            key = await new_api_key(one, role="viewer")
            # Known at once, though the other replica has not heard of it yet.
            assert (await me(two, key["key"])).status_code == 200
            async with two.watch(token=key["key"]) as here, one.watch(token=key["key"]) as there:
                await one.http.delete(f"/api/keys/{key['id']}")
                await asyncio.gather(is_closed(here), is_closed(there))
            for replica in (one, two):
                assert (await me(replica, key["key"])).status_code == 401


async def test_of_two_who_revoke_a_key_one_is_told_that_it_is_gone(
    platform: RunningPlatform,
) -> None:
    key = await new_api_key(platform)
    url = f"/api/keys/{key['id']}"
    answers = await asyncio.gather(*(platform.http.delete(url) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 404]


async def test_the_keys_of_a_workspace_that_goes_end_with_it(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "restricted")
    key = await new_api_key(platform, role="viewer", workspace=workspace)
    async with platform.watch(token=key["key"]) as watcher:
        deleted = await platform.http.delete(f"/api/workspaces/{workspace}?force=true")
        assert deleted.status_code == 200
        await is_closed(watcher)
    assert (await me(platform, key["key"])).status_code == 401
    async with platform.platform.database.read() as transaction:
        left = select(ApiKeyRow).where(ApiKeyRow.id == key["id"])
        assert await transaction.session.scalar(left) is None


async def test_an_admin_of_a_workspace_manages_its_keys_only(platform: RunningPlatform) -> None:
    account = await new_account(platform, "viewer")
    own = await new_workspace(platform, "restricted", admin={"id": account.id})
    other = await new_workspace(platform, "restricted")
    foreign = [await new_api_key(platform), await new_api_key(platform, workspace=other)]
    async with as_caller(platform, account.token) as client:
        made = await new_api_key(platform, client, role="admin", workspace=own)
        assert made["created_by"] == account.name
        for workspace, status in ((other, 404), ("default", 403), (None, 403)):
            body = {"name": "x", "workspace": workspace}
            assert (await client.post("/api/keys", json=body)).status_code == status, workspace
        listed = (await client.get("/api/keys")).json()["data"]
        assert [key["id"] for key in listed] == [made["id"]]
        for key in foreign:
            assert (await client.delete(f"/api/keys/{key['id']}")).status_code == 404
        assert (await client.delete(f"/api/keys/{made['id']}")).status_code == 200


async def test_a_key_makes_no_key_that_may_more_or_longer(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "restricted")
    expiry = datetime.now(UTC) + timedelta(days=1)
    maker = await new_api_key(
        platform,
        role="admin",
        workspace=workspace,
        environments=["dev", "test"],
        expires_at=expiry.isoformat(),
    )
    wide = await new_api_key(platform, workspace=workspace)
    fits = {"name": "x", "environments": ["dev"], "expires_at": expiry.isoformat()}
    later = (expiry + timedelta(seconds=1)).isoformat()
    async with as_caller(platform, maker["key"]) as client:
        made = await client.post("/api/keys", json=fits)
        assert made.json()["data"]["workspace_id"] == workspace
        for changed in (
            {"environments": []},
            {"environments": ["dev", "prod"]},
            {"expires_at": None},
            {"expires_at": later},
        ):
            refused = await client.post("/api/keys", json={**fits, **changed})
            assert refused.status_code == 403, changed
        refused = await client.post("/api/keys", json={**fits, "workspace": "default"})
        assert refused.status_code == 404
        listed = [key["id"] for key in (await client.get("/api/keys")).json()["data"]]
        assert set(listed) == {made.json()["data"]["id"], maker["id"]}
        assert (await client.delete(f"/api/keys/{wide['id']}")).status_code == 404


async def test_a_key_with_the_longest_name_can_write(platform: RunningPlatform) -> None:
    key = await new_api_key(platform, name="n" * 100, role="admin")
    async with as_caller(platform, key["key"]) as client:
        prompt = (await client.post("/api/prompts", json={"key": new_key()})).json()["data"]
        body = {"id": prompt["id"]}
        assert (await client.post("/api/prompts/publish", json=body)).status_code == 200
        await new_api_key(platform, client)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "name: is required"),
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "100"),
        ({"name": "x", "role": "owner"}, "role"),
        ({"name": "x", "environments": "prod"}, "environments"),
        ({"name": "x", "environments": ["a b"]}, "environments.0"),
        ({"name": "x", "environments": ["e"] * 51}, "50"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "past"),
        ({"name": "x", "expires_at": "2999-01-01T00:00:00"}, "timezone"),
        ({"name": "x", "expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"name": "x", "expires_at": "0001-01-01T00:00:00+12:00"}, "expires_at"),
        ({"name": "x", "expires_at": 1e30}, "expires_at"),
    ],
)
async def test_a_bad_key_is_refused(
    platform: RunningPlatform, body: dict[str, Any], message: str
) -> None:
    answer = await platform.http.post("/api/keys", json=body)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]


async def test_keys_are_known_after_a_restart(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        keys = [await new_api_key(platform, role="viewer") for _ in range(2)]
        await platform.http.delete(f"/api/keys/{keys[1]['id']}")
    async with running_platform(settings) as platform:
        authenticator = platform.platform.access.authenticator
        await until(lambda: authenticator.actor(keys[0]["key"]) is not None)
        assert authenticator.actor(keys[1]["key"]) is None
