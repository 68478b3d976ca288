"""A key goes, or is capped, with the account or key that made it; and what keys may not make."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from harness.callers import Account, as_caller, new_account, new_api_key
from harness.people import join, new_workspace, sent
from harness.platform import (
    WAIT_SECONDS,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
    until_found,
)
from harness.postgres import Postgres

REFUSED = "may not make or change accounts"


async def made_by(platform: RunningPlatform, account: Account, **fields: Any) -> dict[str, Any]:
    """A key that this account has made."""
    async with as_caller(platform, account.token) as client:
        return await new_api_key(platform, client, **{"role": "admin", **fields})


async def status(platform: RunningPlatform, key: dict[str, Any], path: str = "/api/me") -> int:
    async with as_caller(platform, key["key"]) as client:
        return (await client.get(path)).status_code


async def shown(platform: RunningPlatform, key: dict[str, Any]) -> dict[str, Any]:
    """The key as the list has it."""
    (listed,) = sent(await platform.http.get("/api/keys", params={"prefix": key["prefix"]}))
    listed_key: dict[str, Any] = listed
    return listed_key


async def give_role(platform: RunningPlatform, account: Account, role: str) -> None:
    sent(await platform.http.put(f"/api/users/{account.id}", json={"role": role}))


async def delete(platform: RunningPlatform, path: str) -> None:
    assert (await platform.http.delete(path)).status_code == 200


async def test_keys_go_with_the_account_that_made_them(platform: RunningPlatform) -> None:
    account = await new_account(platform, "admin")
    keys = [await made_by(platform, account, role=role) for role in ("sdk", "viewer", "admin")]
    async with as_caller(platform, keys[-1]["key"]) as client:
        keys.append(await new_api_key(platform, client, role="editor"))
    async with platform.watch(token=keys[0]["key"]) as watcher:
        await delete(platform, f"/api/users/{account.id}")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
    for key in keys:
        assert await status(platform, key) == 401
        params = {"prefix": key["prefix"]}
        assert sent(await platform.http.get("/api/keys", params=params)) == []
        query = {"resource": "api_key", "resource_id": key["id"], "action": "revoke"}
        (entry,) = sent(await platform.http.get("/api/audit", params=query))
        assert entry["actor"] == "admin"


async def test_a_key_has_no_more_than_its_maker_has_now(platform: RunningPlatform) -> None:
    account = await new_account(platform, "admin")
    key = await made_by(platform, account, role="admin")
    metrics = await made_by(platform, account, role="metrics")
    fetching = await made_by(platform, account, role="sdk")
    paths = ("/api/users", "/api/prompts?limit=1")
    for role, statuses in (("editor", [403, 200]), ("viewer", [403, 200]), ("admin", [200, 200])):
        await give_role(platform, account, role)
        assert [await status(platform, key, path) for path in paths] == statuses
        assert (await shown(platform, key))["effective_role"] == role
        assert (await shown(platform, key))["role"] == "admin"
        async with as_caller(platform, key["key"]) as client:
            assert (await client.get("/api/me")).json()["role"] == role
            written = await client.post("/api/prompts", json={"key": new_key()})
            assert written.status_code == (403 if role == "viewer" else 200)
        is_admin = role == "admin"
        assert await status(platform, metrics, "/metrics") == (200 if is_admin else 401)
        assert (await shown(platform, metrics))["effective_role"] == (
            "metrics" if is_admin else None
        )
        assert (await shown(platform, fetching))["effective_role"] == "sdk"


@pytest.mark.parametrize("visibility", ["open", "restricted"])
async def test_a_removed_members_key_does_not_bring_the_member_back(
    platform: RunningPlatform, visibility: str
) -> None:
    account = await new_account(platform, "viewer")
    workspace = await new_workspace(platform, visibility, admin={"id": account.id})
    key = await made_by(platform, account, workspace=workspace, manage_accounts=True)
    other = await new_account(platform, "viewer")
    here = f"/api/workspaces/{workspace}/members"
    async with as_caller(platform, key["key"]) as client:
        sent(await client.put(f"{here}/{other.id}", json={"role": "editor"}))
        await join(platform, workspace, {"id": account.id}, "editor")
        assert (await client.put(f"{here}/{other.id}", json={"role": "admin"})).status_code == 403
        await delete(platform, f"{here}/{account.id}")
        # Of an open workspace everybody is a viewer.
        expected = 403 if visibility == "open" else 401
        back = await client.put(f"{here}/{account.id}", json={"role": "admin"})
        assert back.status_code == expected
        effective = (await shown(platform, key))["effective_role"]
        assert effective == ("viewer" if visibility == "open" else None)
        await join(platform, workspace, {"id": account.id}, "admin")
        sent(await client.put(f"{here}/{other.id}", json={"role": "viewer"}))


async def test_a_workspace_that_closes_shuts_out_the_keys_of_those_who_are_no_members(
    platform: RunningPlatform,
) -> None:
    account = await new_account(platform, "admin")
    workspace = await new_workspace(platform)
    key = await made_by(platform, account, role="viewer", workspace=workspace)
    await give_role(platform, account, "viewer")
    assert await status(platform, key) == 200
    sent(await platform.http.put(f"/api/workspaces/{workspace}", json={"visibility": "restricted"}))
    assert await status(platform, key) == 401
    sent(await platform.http.put(f"/api/workspaces/{workspace}", json={"visibility": "open"}))
    assert await status(platform, key) == 200


@pytest.mark.usefixtures("no_slow_poll")
async def test_a_key_is_capped_on_the_other_replica_at_once(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        account = await new_account(one, "admin")
        workspace = await new_workspace(one, "restricted", admin={"id": account.id})
        bound = await made_by(one, account, workspace=workspace)
        free = await made_by(one, account, role="admin")
        for key in (bound, free):
            assert await status(two, key) == 200

        async def refused(key: dict[str, Any], path: str, expected: int) -> list[bool]:
            return [True] if await status(two, key, path) == expected else []

        await give_role(one, account, "editor")
        await until_found(lambda: refused(free, "/api/users", 403))
        async with two.watch(token=bound["key"]) as watcher:
            await delete(one, f"/api/workspaces/{workspace}/members/{account.id}")
            await until_found(lambda: refused(bound, "/api/me", 401))
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
        await delete(one, f"/api/users/{account.id}")
        await until_found(lambda: refused(free, "/api/me", 401))


async def test_a_key_goes_with_the_key_that_made_it(platform: RunningPlatform) -> None:
    chain = [await new_api_key(platform, role="admin")]
    for _ in range(3):
        async with as_caller(platform, chain[-1]["key"]) as client:
            chain.append(await new_api_key(platform, client, role="admin"))
    other = await new_api_key(platform, role="admin")
    await delete(platform, f"/api/keys/{chain[1]['id']}")
    statuses = [await status(platform, key) for key in (*chain, other)]
    assert statuses == [200, 401, 401, 401, 200]


async def test_keys_say_who_made_them(platform: RunningPlatform) -> None:
    account = await new_account(platform, "admin")
    by_token = await new_api_key(platform, role="admin")
    by_user = await made_by(platform, account)
    async with as_caller(platform, by_user["key"]) as client:
        by_key = await new_api_key(platform, client)
    expected = {
        by_token["id"]: ("static token", None, "admin"),
        by_user["id"]: ("user", account.id, account.name),
        by_key["id"]: ("key", by_user["id"], "key test"),
    }
    for key in (by_token, by_user, by_key):
        for answer in (key, await shown(platform, key)):
            maker = (answer["maker_kind"], answer["maker_id"], answer["created_by"])
            assert maker == expected[key["id"]]

    async def listed(maker: str) -> set[str]:
        keys = sent(await platform.http.get("/api/keys", params={"maker": maker}))
        return {key["id"] for key in keys}

    assert await listed(account.id) == {by_user["id"], by_key["id"]}
    assert await listed(by_user["id"]) == {by_key["id"]}


async def test_a_key_that_is_adopted_stays(platform: RunningPlatform) -> None:
    leaving, staying = [await new_account(platform, "admin") for _ in range(2)]
    key = await made_by(platform, leaving)
    async with as_caller(platform, key["key"]) as client:
        below = await new_api_key(platform, client)
        itself = await client.post(f"/api/keys/{below['id']}/adopt")
        assert itself.status_code == 403
    async with as_caller(platform, staying.token) as client:
        adopted = sent(await client.post(f"/api/keys/{key['id']}/adopt"))
        assert (adopted["maker_id"], adopted["created_by"]) == (staying.id, staying.name)
        assert (await client.post("/api/keys/nothing/adopt")).status_code == 404
    await delete(platform, f"/api/users/{leaving.id}")
    assert await status(platform, key) == 200
    assert await status(platform, below, "/api/sdk/snapshot") == 200
    await give_role(platform, staying, "viewer")
    assert (await shown(platform, key))["effective_role"] == "viewer"
    await delete(platform, f"/api/users/{staying.id}")
    assert [await status(platform, token) for token in (key, below)] == [401, 401]


async def test_a_key_changes_no_account_or_member_unless_it_was_given_that_right(
    platform: RunningPlatform,
) -> None:
    account = await new_account(platform, "viewer")
    workspace = await new_workspace(platform, "restricted")
    member = f"/api/workspaces/{workspace}/members/{account.id}"
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/api/users", {"username": new_key(), "password": "a long password"}),
        ("PUT", f"/api/users/{account.id}", {"password": "another password"}),
        ("PUT", f"/api/users/{account.id}", {"role": "admin"}),
        ("PUT", member, {"role": "admin"}),
        ("DELETE", member, {}),
        ("DELETE", f"/api/users/{account.id}", {}),
    ]
    plain = await new_api_key(platform, role="admin")
    trusted = await new_api_key(platform, role="admin", manage_accounts=True)
    assert (plain["manage_accounts"], trusted["manage_accounts"]) == (False, True)
    async with as_caller(platform, plain["key"]) as client:
        revision = platform.platform.changes.feed.applied
        for method, path, body in changes:
            answer = await client.request(method, path, json=body)
            assert answer.status_code == 403, (method, path)
            assert REFUSED in answer.json()["error"]
        assert platform.platform.changes.feed.applied == revision
        assert (await client.get("/api/users")).status_code == 200
    async with as_caller(platform, trusted["key"]) as client:
        for method, path, body in changes:
            assert (await client.request(method, path, json=body)).status_code == 200, (
                method,
                path,
            )


async def test_only_an_account_gives_the_right_and_only_to_admin_keys(
    platform: RunningPlatform,
) -> None:
    trusted = await new_api_key(platform, role="admin", manage_accounts=True)
    body = {"name": "x", "role": "admin", "manage_accounts": True}
    async with as_caller(platform, trusted["key"]) as client:
        refused = await client.post("/api/keys", json=body)
        assert refused.status_code == 403
        assert "manage_accounts" in refused.json()["error"]
    for change in ({"role": "editor"}, {"environments": ["dev"]}):
        answer = await platform.http.post("/api/keys", json=body | change)
        assert answer.status_code == 400, change
        assert answer.json()["error"].startswith("manage_accounts: ")
